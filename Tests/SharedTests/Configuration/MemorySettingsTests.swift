import Testing

@testable import Shared

@Suite struct MemorySettingsTests {
    private let megabyte = 1_048_576

    private func read(_ environment: [(String, String)] = [], usableMegabytes: Int = 16_384) throws -> Settings {
        let outcome = outcome(environment: environment, usableBytes: usableMegabytes * megabyte)
        return try #require(outcome.settings, "\(outcome.problemTexts)")
    }

    @Test(
        "the budget is half of what there is, at most 512 MB; a body an eighth of that, at most 32 MB",
        arguments: [(16_384, 512, 32), (1_024, 512, 32), (512, 256, 32), (256, 128, 16), (100, 50, 6), (20, 32, 4)]
    )
    func defaults(usable: Int, memory: Int, body: Int) throws {
        let settings = try read(usableMegabytes: usable)
        #expect(settings.memory.bytes == memory * megabyte && settings.maxBodyBytes == body * megabyte)
    }

    @Test("more memory than there is is told")
    func tooMuch() {
        func warnings(_ megabytes: String) -> [String] {
            outcome(environment: [("MEMORY_MB", megabytes)], usableBytes: 1_024 * megabyte).warningTexts
        }
        #expect(warnings("2048").contains { $0.contains("MEMORY_MB: is more than the 1024 MB that this machine") })
        #expect(!warnings("1024").contains { $0.contains("MEMORY_MB") })
    }

    @Test("what is set goes before, and defaults that depend on it are shown")
    func given() throws {
        #expect(try read([("MEMORY_MB", "2048")]).memory.bytes == 2_048 * megabyte)
        #expect(try read([("MEMORY_MB", "2048")]).maxBodyBytes == 32 * megabyte)
        #expect(try read([("MEMORY_MB", "2048"), ("MAX_BODY_MB", "256")]).maxBodyBytes == 256 * megabyte)
        let effective = outcome(environment: [("MEMORY_MB", "80")]).effective
        #expect(effective.contains { $0.name == "MEMORY_MB" && $0.shown == "80" && $0.location == "environment" })
        #expect(effective.contains { $0.name == "MAX_BODY_MB" && $0.shown == "10" && $0.location == "default" })
    }

    @Test("tables shrink with the budget; without memcached the store in memory is one")
    func tables() throws {
        let large = try read().memory
        #expect(large.limitBytes == 64 * megabyte && large.storeBytes == 64 * megabyte)
        #expect(large.responseBytes == 16 * megabyte && large.setAsideBytes == 148 * megabyte)
        let small = try read([("MEMORY_MB", "32"), ("MEMCACHED_HOST", "cache")]).memory
        #expect(small.limitBytes == 4 * megabyte && small.storeBytes == 0 && small.responseBytes == 0)
        #expect(small.setAsideBytes < small.bytes / 4)
    }

    @Test("a body that does not fit is a problem beside all others, with what to do; none that only follows")
    func doesNotFit() {
        let texts = outcome(environment: [("MEMORY_MB", "64"), ("MAX_BODY_MB", "9"), ("PORT", "x")]).problemTexts
        #expect(texts.count == 2)
        let text = texts.first { $0.contains("MAX_BODY_MB: 9 MB do not fit") }
        #expect(text?.contains("at most 8, or MEMORY_MB to at least 72") ?? false)
        #expect(outcome(environment: [("MEMORY_MB", "64"), ("MAX_BODY_MB", "8")]).problemTexts.isEmpty)
        #expect(outcome(environment: [("MEMORY_MB", "1"), ("MAX_BODY_MB", "64")]).problemTexts.count == 1)
    }
}
