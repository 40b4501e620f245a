import Engine
import Support
import Testing

@testable import Shared

@Suite struct StrayBearersTests {
    private let hour: UInt64 = 3_600_000_000_000
    private func bearer(_ text: String) -> Digest { Digest(of: text) }

    @Test("a bearer is new once an hour to each address, and stays known while it is sent")
    func once() {
        let strays = StrayBearers()
        #expect(strays.isNew(bearer("a"), from: "4:1", at: 5))
        #expect(!strays.isNew(bearer("a"), from: "4:1", at: 4 + hour))
        #expect(!strays.isNew(bearer("a"), from: "4:1", at: 3 + 2 * hour))
        #expect(strays.isNew(bearer("a"), from: "4:1", at: 3 + 3 * hour))
        #expect(strays.isNew(bearer("a"), from: "4:2", at: 5))
        #expect(strays.isNew(bearer("b"), from: "4:1", at: 5))
    }

    @Test("one that is forgotten is new again")
    func forgotten() {
        let strays = StrayBearers()
        #expect(strays.isNew(bearer("a"), from: "4:1", at: 5))
        strays.forget(bearer("a"), from: "4:1")
        #expect(strays.count == 0 && strays.isNew(bearer("a"), from: "4:1", at: 6))
    }

    @Test("of more than there is room for, the one longest unused goes, one for one")
    func bound() {
        let strays = StrayBearers(bound: 3)
        for name in ["a", "b", "c"] { #expect(strays.isNew(bearer(name), from: "4:1", at: 1)) }
        #expect(!strays.isNew(bearer("a"), from: "4:1", at: 2))
        #expect(strays.isNew(bearer("d"), from: "4:1", at: 3) && strays.count == 3)
        #expect(!strays.isNew(bearer("a"), from: "4:1", at: 4) && !strays.isNew(bearer("c"), from: "4:1", at: 4))
        #expect(strays.isNew(bearer("b"), from: "4:1", at: 4))
    }
}
