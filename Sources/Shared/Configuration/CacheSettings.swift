package struct CacheSettings: Sendable, Equatable {
    package enum Scope: String, CaseIterable, Sendable {
        /// Each caller has its own cached responses.
        case key
        /// All known callers share cached responses.
        case shared
    }

    package enum Store: String, CaseIterable, Sendable {
        case memory
        case memcached
        case data
    }

    /// The lifetime of a cached response; zero if responses are only removed when the cache is full.
    package var life = Duration.zero
    /// Whether equal concurrent requests share one upstream call.
    package var coalesces = false
    package var maxEntries = 1_000
    package var maxBytes = 64 * 1_048_576
    package var scope = Scope.key
    package var store = Store.memory
    /// The data folder (`DATA_DIR`) for cached responses; nil if it is not set.
    package var directory: String?
    /// The patterns of the requested model names whose responses are cached.
    package var models = [ModelPattern.all]

    /// Returns the largest size that the response cache in memory may have, in bytes; at least 1 MiB. It is what the
    /// other users of the memory budget leave.
    static func maxBytes(beside memory: MemorySettings, maxBodyBytes: Int) -> Int {
        max(1_048_576, memory.bytes - memory.bytes / 4 - memory.setAsideBytes - 2 * maxBodyBytes)
    }

    fileprivate static let usualBytes = 64 * 1_048_576
}

extension SettingsReader {
    /// Reads the settings of the response cache, and reports problems with them; nil if `CACHE` is off.
    mutating func readCache(_ memory: MemorySettings, _ limits: LimitSettings, maxBodyBytes: Int) -> CacheSettings? {
        let room = CacheSettings.maxBytes(beside: memory, maxBodyBytes: maxBodyBytes)
        let usual = max(1, min(CacheSettings.usualBytes, memory.bytes / 8, room) / 1_048_576)
        derive("CACHE_MAX_MB", megabytes: usual)
        guard boolean("CACHE") else { return nil }
        let settings = CacheSettings(
            life: duration("CACHE_TTL"),
            coalesces: boolean("CACHE_COALESCE"),
            maxEntries: number("CACHE_MAX_ENTRIES"),
            maxBytes: number("CACHE_MAX_MB"),
            scope: word("CACHE_SCOPE") ?? .key,
            store: word("CACHE_STORE") ?? .memory,
            directory: text("DATA_DIR"),
            models: patterns("CACHE_MODELS")
        )
        switch settings.store {
        case .memory where settings.maxBytes > room:
            report(
                "CACHE_MAX_MB",
                "\(settings.maxBytes / 1_048_576) MB do not fit into MEMORY_MB (\(memory.bytes / 1_048_576)) besides"
                    + " requests; set it to at most \(room / 1_048_576), or more MEMORY_MB"
            )
        case .memcached where limits.store == .memory:
            report("CACHE_STORE", "memcached requires MEMCACHED_HOST or MEMCACHED_SERVERS")
        case .memcached:
            let text = "has no effect with CACHE_STORE=memcached, whose own memory is the limit"
            warnIfGiven(["CACHE_MAX_MB", "CACHE_MAX_ENTRIES"], text)
        case .data where settings.directory == nil: report("CACHE_STORE", "data requires DATA_DIR")
        case .memory, .data: break
        }
        return settings
    }
}

extension SettingSection {
    static let cache = SettingSection(
        "Response cache",
        SettingRow("CACHE", .boolean, "false")
            .help("true: responses are cached, and equal requests get the same response again"),
        SettingRow("CACHE_TTL", .duration(.zero ... .seconds(31_536_000)), "0")
            .help("lifetime of a cache entry; 0: until it is evicted"),
        SettingRow("CACHE_COALESCE", .boolean, "false").help("true: equal concurrent requests share one upstream call"),
        SettingRow("CACHE_MAX_ENTRIES", .number(1...10_000_000), "1000")
            .help("maximum number of cache entries in memory, or in DATA_DIR"),
        SettingRow("CACHE_MAX_MB", .megabytes(1...1_048_576))
            .help("maximum size of these cache entries; default: 64, at most an eighth of MEMORY_MB"),
        SettingRow("CACHE_SCOPE", .choice(of: CacheSettings.Scope.self), CacheSettings.Scope.key.rawValue)
            .help("scope of cache entries; shared: all known callers share them"),
        SettingRow("CACHE_STORE", .choice(of: CacheSettings.Store.self), CacheSettings.Store.memory.rawValue)
            .help("where responses are cached; memcached: shared by all instances; data: in files in DATA_DIR"),
        SettingRow("CACHE_MODELS", .patterns, "all").help("models whose responses are cached")
    )
}
