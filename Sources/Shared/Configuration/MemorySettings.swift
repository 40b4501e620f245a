import Engine

/// The memory that the relay may hold of what others send, and the part that is set aside at the start.
package struct MemorySettings: Sendable, Equatable {
    /// All of it.
    package let bytes: Int
    /// For the table of limits.
    package let limitBytes: Int
    /// For what instances share, where there is no memcached to keep it; 0: there is.
    package let storeBytes: Int
    /// For stored responses, where there is no memcached to keep them; 0: there is.
    package let responseBytes: Int
    /// For the names of what vendors keep already.
    package let assetBytes: Int

    package var setAsideBytes: Int { limitBytes + storeBytes + responseBytes + assetBytes }

    package static let leastMegabytes = 32
    private static let mostMegabytes = 512
    private static let mostTableBytes = 64 * 1_048_576
    private static let mostResponseBytes = 16 * 1_048_576
    static let mostBodyMegabytes = 32
    /// A body is held twice while it is read, and one caller holds at most a quarter.
    fileprivate static let bodyShare = 8

    /// Tables shrink with a small budget: an eighth of it for limits, at most 64 MB, as much for the store in memory, and
    /// 16 MB for responses.
    package init(bytes: Int, hasStore: Bool) {
        self.bytes = bytes
        limitBytes = min(Self.mostTableBytes, bytes / 8)
        storeBytes = hasStore ? 0 : min(Self.mostTableBytes, bytes / 8)
        responseBytes = hasStore ? 0 : min(Self.mostResponseBytes, bytes / 8)
        assetBytes = min(4_194_304, bytes / 128)
    }

    /// - Parameter usableBytes: of the container or machine.
    static func megabytes(usableBytes: Int) -> Int {
        max(leastMegabytes, min(mostMegabytes, usableBytes / 2 / 1_048_576))
    }

    static func bodyMegabytes(memoryBytes: Int, most: Int = mostBodyMegabytes) -> Int {
        max(1, min(most, memoryBytes / bodyShare / 1_048_576))
    }
}

extension SettingsReader {
    /// Two settings whose defaults depend on something: on the machine, and on the first of them.
    mutating func readMemory(usableBytes: Int) -> (memoryBytes: Int, bodyBytes: Int) {
        derive("MEMORY_MB", number: MemorySettings.megabytes(usableBytes: usableBytes), unit: 1_048_576)
        let memoryBytes = number("MEMORY_MB")
        derive("MAX_BODY_MB", number: MemorySettings.bodyMegabytes(memoryBytes: memoryBytes), unit: 1_048_576)
        return (memoryBytes, number("MAX_BODY_MB"))
    }

    /// Reports settings that do not fit together.
    mutating func judgeMemory(_ settings: Settings) {
        let most = MemorySettings.bodyMegabytes(memoryBytes: settings.memory.bytes, most: 1_024)
        let wanted = settings.maxBodyBytes / 1_048_576
        let isWrong = problems.contains { $0.name == "MEMORY_MB" || $0.name == "MAX_BODY_MB" }
        guard wanted > most, !isWrong else { return }
        note(
            "MAX_BODY_MB",
            "\(wanted) MB do not fit: a body is held twice while it is read, and one caller may hold a quarter of MEMORY_MB"
                + " (\(settings.memory.bytes / 1_048_576)); set it to at most \(most), or MEMORY_MB to at least \(wanted * MemorySettings.bodyShare)"
        )
    }
}
