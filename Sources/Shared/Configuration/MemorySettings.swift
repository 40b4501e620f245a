import Engine

/// The memory budget for request and response data, and the parts of it that are reserved at startup.
package struct MemorySettings: Sendable, Equatable {
    /// The whole memory budget, in bytes.
    package let bytes: Int
    /// The bytes reserved for the table of limits.
    package let limitBytes: Int
    /// The bytes reserved for the shared state of instances if there is no memcached to hold it; 0 if there is.
    package let storeBytes: Int
    /// The bytes reserved for stored responses if there is no memcached to hold them; 0 if there is.
    package let responseBytes: Int
    /// The bytes reserved for the table of files that were already uploaded to vendors.
    package let assetBytes: Int

    package var setAsideBytes: Int { limitBytes + storeBytes + responseBytes + assetBytes }

    package static let minMegabytes = 32
    private static let maxMegabytes = 512
    private static let maxTableBytes = 64 * 1_048_576
    private static let maxResponseBytes = 16 * 1_048_576
    static let maxBodyMegabytes = 32
    /// The divisor of the memory budget that gives the largest body: a body is in memory twice while it is read, and
    /// one caller may use a quarter of the budget.
    fileprivate static let bodyShare = 8

    /// Divides the budget. The table of limits gets an eighth, at most 64 MB. The store in memory gets the same, and
    /// stored responses get an eighth, at most 16 MB.
    package init(bytes: Int, hasStore: Bool) {
        self.bytes = bytes
        limitBytes = min(Self.maxTableBytes, bytes / 8)
        storeBytes = hasStore ? 0 : min(Self.maxTableBytes, bytes / 8)
        responseBytes = hasStore ? 0 : min(Self.maxResponseBytes, bytes / 8)
        assetBytes = min(4_194_304, bytes / 128)
    }

    /// Returns the default of `MEMORY_MB`.
    ///
    /// - Parameter usableBytes: the memory of the container or machine.
    static func megabytes(usableBytes: Int) -> Int {
        max(minMegabytes, min(maxMegabytes, usableBytes / 2 / 1_048_576))
    }

    static func bodyMegabytes(memoryBytes: Int, most: Int = maxBodyMegabytes) -> Int {
        max(1, min(most, memoryBytes / bodyShare / 1_048_576))
    }
}

extension SettingsReader {
    /// Reads `MEMORY_MB` and `MAX_BODY_MB`. The default of the first depends on the machine, that of the second on the
    /// first.
    mutating func readMemory(usableBytes: Int) -> (memoryBytes: Int, bodyBytes: Int) {
        derive("MEMORY_MB", number: MemorySettings.megabytes(usableBytes: usableBytes), unit: 1_048_576)
        let memoryBytes = number("MEMORY_MB")
        derive("MAX_BODY_MB", number: MemorySettings.bodyMegabytes(memoryBytes: memoryBytes), unit: 1_048_576)
        return (memoryBytes, number("MAX_BODY_MB"))
    }

    /// Reports a problem if `MAX_BODY_MB` is too large for `MEMORY_MB`.
    mutating func checkMemory(_ settings: Settings) {
        let most = MemorySettings.bodyMegabytes(memoryBytes: settings.memory.bytes, most: 1_024)
        let wanted = settings.maxBodyBytes / 1_048_576
        let isWrong = problems.contains { $0.name == "MEMORY_MB" || $0.name == "MAX_BODY_MB" }
        guard wanted > most, !isWrong else { return }
        report(
            "MAX_BODY_MB",
            "\(wanted) MB do not fit: a body is held twice while it is read, and one caller may hold a quarter of MEMORY_MB"
                + " (\(settings.memory.bytes / 1_048_576)); set it to at most \(most), or MEMORY_MB to at least \(wanted * MemorySettings.bodyShare)"
        )
    }
}
