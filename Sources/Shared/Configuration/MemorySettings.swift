import Engine

/// The memory budget for request and response data, and its parts that are set aside, such as for limits.
package struct MemorySettings: Sendable, Equatable {
    /// The whole memory budget (`MEMORY_MB`), in bytes.
    package let bytes: Int
    /// The bytes set aside for the counters of limits.
    package let limitBytes: Int
    /// The bytes set aside for state that would otherwise be in memcached; 0 if memcached is used.
    package let storeBytes: Int
    /// The bytes set aside for stored responses; 0 if memcached stores them.
    package let responseBytes: Int
    /// The bytes set aside for the table of files that were already uploaded to vendors.
    package let assetBytes: Int

    package var setAsideBytes: Int { limitBytes + storeBytes + responseBytes + assetBytes }

    package static let minMegabytes = 32
    private static let maxMegabytes = 512
    private static let maxTableBytes = 64 * 1_048_576
    private static let maxResponseBytes = 16 * 1_048_576
    static let maxBodyMegabytes = 32
    /// The number by which the memory budget is divided to get the largest allowed body.
    fileprivate static let bodyShare = 8

    /// Sets aside parts of the memory budget, such as those for limits and for stored responses.
    /// - Parameter hasStore: whether memcached keeps the shared state and the stored responses.
    package init(bytes: Int, hasStore: Bool) {
        self.bytes = bytes
        limitBytes = min(Self.maxTableBytes, bytes / 8)
        storeBytes = hasStore ? 0 : min(Self.maxTableBytes, bytes / 8)
        responseBytes = hasStore ? 0 : min(Self.maxResponseBytes, bytes / 8)
        assetBytes = min(4_194_304, bytes / 128)
    }

    /// Returns the default of `MEMORY_MB`, in megabytes.
    static func megabytes(usableBytes: Int) -> Int { max(minMegabytes, min(maxMegabytes, usableBytes / 2 / 1_048_576)) }

    static func bodyMegabytes(memoryBytes: Int, most: Int = maxBodyMegabytes) -> Int {
        max(1, min(most, memoryBytes / bodyShare / 1_048_576))
    }
}

extension SettingsReader {
    /// Reads `MEMORY_MB` and `MAX_BODY_MB`. By default, `MEMORY_MB` depends on the machine, and `MAX_BODY_MB` depends
    /// on `MEMORY_MB`.
    mutating func readMemory(usableBytes: Int) -> (memoryBytes: Int, bodyBytes: Int) {
        derive("MEMORY_MB", megabytes: MemorySettings.megabytes(usableBytes: usableBytes))
        let memoryBytes = number("MEMORY_MB")
        if given["MEMORY_MB"] != nil, memoryBytes > usableBytes {
            warn("MEMORY_MB", "is more than the \(usableBytes / 1_048_576) MB that this machine or container has")
        }
        derive("MAX_BODY_MB", megabytes: MemorySettings.bodyMegabytes(memoryBytes: memoryBytes))
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
