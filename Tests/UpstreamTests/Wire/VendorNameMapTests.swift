import Testing

@testable import Upstream

@Suite struct VendorNameMapTests {
    @Test("names are plain, short and different, and known by what they became")
    func names() {
        var names = VendorNameMap()
        let given = ["plain", "a.b", "a/b", "a_b", "", String(repeating: "x", count: 200), "plain"]
        let sent = given.map { names.name($0) }
        #expect(sent[0] == sent[6] && Set(sent).count == 6)
        for (original, name) in zip(given, sent) {
            #expect((1...128).contains(name.count))
            #expect(String(decoding: name, as: UTF8.self).wholeMatch(of: /[A-Za-z0-9_-]+/) != nil)
            #expect(name.withUnsafeBytes { names.original(of: $0) } == Array(original.utf8))
        }
    }

    @Test("an id that is there twice gets two names")
    func ids() {
        var names = VendorNameMap()
        let ids = (0..<1_000).map { _ in names.once(Array("a".utf8)) }
        #expect(Set(ids).count == 1_000 && ids[0] == Array("a".utf8))
    }
}
