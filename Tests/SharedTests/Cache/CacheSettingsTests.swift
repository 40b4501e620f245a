import Testing

@testable import Shared

@Suite struct CacheSettingsTests {
    @Test("nothing is kept unless CACHE says so")
    func off() throws {
        #expect(try #require(outcome().settings).cache == nil)
        #expect(try #require(outcome(environment: [("CACHE_STORE", "memcached")]).settings).cache == nil)
    }

    @Test("defaults, and all that can be set")
    func values() throws {
        let plain = try #require(outcome(environment: [("CACHE", "on"), ("MEMORY_MB", "512")]).settings).cache
        #expect(plain == CacheSettings())
        let given = [
            ("CACHE", "true"), ("CACHE_TTL", "90"), ("CACHE_COALESCE", "1"), ("CACHE_MAX_ENTRIES", "5"),
            ("CACHE_MAX_MB", "7"), ("CACHE_SCOPE", "shared"), ("CACHE_STORE", "memcached"), ("CACHE_MODELS", "a,b*"),
            ("MEMCACHED_HOST", "a"),
        ]
        let wanted = CacheSettings(
            life: .seconds(90),
            coalesces: true,
            maxEntries: 5,
            maxBytes: 7 * 1_048_576,
            scope: .shared,
            store: .memcached,
            models: [.exactly("a"), .beginning("b")]
        )
        #expect(try #require(outcome(environment: given).settings).cache == wanted)
    }

    @Test(
        "a small budget has a small cache",
        arguments: [(32, 3), (64, 7), (128, 15), (256, 32), (512, 64), (4_096, 64)]
    )
    func small(memory: Int, cache: Int) throws {
        let settings = outcome(environment: [("CACHE", "true"), ("MEMORY_MB", "\(memory)")]).settings
        #expect(try #require(settings).cache?.maxBytes == cache * 1_048_576)
    }

    @Test(
        "settings that do not fit are problems",
        arguments: [
            ([("CACHE_STORE", "memcached")], "CACHE_STORE: memcached requires MEMCACHED_HOST or MEMCACHED_SERVERS"),
            ([("CACHE_STORE", "data")], "CACHE_STORE: data requires DATA_DIR"),
            ([("CACHE_MAX_MB", "500"), ("MEMORY_MB", "512")], "CACHE_MAX_MB: 500 MB do not fit into MEMORY_MB (512)"),
            ([("CACHE_TTL", "soon")], "CACHE_TTL: "), ([("CACHE_MAX_ENTRIES", "0")], "CACHE_MAX_ENTRIES: "),
        ]
    )
    func problems(environment: [(String, String)], problem: String) {
        let texts = outcome(environment: environment + [("CACHE", "true")]).problemTexts
        #expect(texts.count == 1 && texts[0].contains(problem), "\(texts)")
    }
}
