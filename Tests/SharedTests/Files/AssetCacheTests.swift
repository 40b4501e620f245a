import Engine
import Support
import Testing

@testable import Shared

@Suite struct AssetCacheTests {
    private func key(_ content: String, _ bearer: String? = "one", account: String = "a") -> AssetCache.Key {
        let caller =
            bearer.map { Caller(passingOn: $0, Digest(of: $0), models: []) } ?? Caller(anonymousWith: [])
        return AssetCache.Key(Digest(of: content), of: caller, account: Digest(of: account))
    }

    private func asset(_ name: String) -> UploadedAsset { UploadedAsset(path: "images/\(name)", id: name) }

    @Test("what one caller sent with one of the vendor's keys is nothing to others")
    func owners() {
        let cache = AssetCache()
        cache.add(asset("a"), key("a"), at: 0)
        #expect(cache.asset(key("a"), at: 1) == asset("a"))
        for other in [key("b"), key("a", "two"), key("a", nil), key("a", account: "b")] {
            #expect(cache.asset(other, at: 1) == nil)
        }
    }

    @Test("an entry ends an hour after its upload, however often it is used")
    func ends() {
        let hour: UInt64 = 3_600_000_000_000
        let cache = AssetCache()
        cache.add(asset("a"), key("a"), at: 5)
        #expect(cache.asset(key("a"), at: LoopTime(nanoseconds: hour)) != nil)
        #expect(cache.asset(key("a"), at: 5 + hour) == nil)
        #expect(cache.size == (0, 0))
    }

    @Test("what the vendor lost is forgotten")
    func forgets() {
        let cache = AssetCache()
        cache.add(asset("a"), key("a"), at: 0)
        cache.add(asset("b"), key("a"), at: 0)
        #expect(cache.asset(key("a"), at: 0) == asset("b") && cache.size.entries == 1)
        cache.forget(key("a"))
        #expect(cache.asset(key("a"), at: 0) == nil && cache.size == (0, 0))
    }

    @Test("it holds so many entries, those used last")
    func fillsWithEntries() {
        let cache = AssetCache()
        let first = key("first")
        cache.add(asset("first"), first, at: 0)
        for number in 0..<20_000 {
            cache.add(asset("\(number)"), key("\(number)"), at: 0)
            if number % 1_000 == 0 { _ = cache.asset(first, at: 0) }
        }
        #expect(cache.size.entries == 8_192 && cache.size.bytes <= 4_194_304)
        #expect(cache.asset(first, at: 0) != nil && cache.asset(key("0"), at: 0) == nil)
        #expect(cache.asset(key("19999"), at: 0) != nil)
    }

    @Test("it holds so many bytes, whatever names a vendor gives")
    func fillsWithBytes() {
        let cache = AssetCache()
        let long = String(repeating: "x", count: 100_000)
        for number in 0..<200 { cache.add(UploadedAsset(path: long, id: ""), key("\(number)"), at: 0) }
        #expect(cache.size.bytes <= 4_194_304 && (30...45).contains(cache.size.entries))
        cache.add(UploadedAsset(path: String(repeating: "x", count: 5_000_000), id: ""), key("large"), at: 0)
        #expect(cache.size == (0, 0))
    }
}
