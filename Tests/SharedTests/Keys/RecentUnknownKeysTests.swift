import Engine
import Support
import Testing

@testable import Shared

@Suite struct RecentUnknownKeysTests {
    private let hour: UInt64 = 3_600_000_000_000
    private func bearer(_ text: String) -> Digest { Digest(of: text) }

    @Test("a bearer is new once an hour to each address, and stays known while it is sent")
    func once() {
        let unknownKeys = RecentUnknownKeys()
        #expect(unknownKeys.isNew(bearer("a"), from: "4:1", at: 5))
        #expect(!unknownKeys.isNew(bearer("a"), from: "4:1", at: 4 + hour))
        #expect(!unknownKeys.isNew(bearer("a"), from: "4:1", at: 3 + 2 * hour))
        #expect(unknownKeys.isNew(bearer("a"), from: "4:1", at: 3 + 3 * hour))
        #expect(unknownKeys.isNew(bearer("a"), from: "4:2", at: 5))
        #expect(unknownKeys.isNew(bearer("b"), from: "4:1", at: 5))
    }

    @Test("one that is forgotten is new again")
    func forgotten() {
        let unknownKeys = RecentUnknownKeys()
        #expect(unknownKeys.isNew(bearer("a"), from: "4:1", at: 5))
        unknownKeys.forget(bearer("a"), from: "4:1")
        #expect(unknownKeys.count == 0 && unknownKeys.isNew(bearer("a"), from: "4:1", at: 6))
    }

    @Test("of more than there is room for, the one longest unused goes, one for one")
    func bound() {
        let unknownKeys = RecentUnknownKeys(bound: 3)
        for name in ["a", "b", "c"] { #expect(unknownKeys.isNew(bearer(name), from: "4:1", at: 1)) }
        #expect(!unknownKeys.isNew(bearer("a"), from: "4:1", at: 2))
        #expect(unknownKeys.isNew(bearer("d"), from: "4:1", at: 3) && unknownKeys.count == 3)
        #expect(
            !unknownKeys.isNew(bearer("a"), from: "4:1", at: 4) && !unknownKeys.isNew(bearer("c"), from: "4:1", at: 4)
        )
        #expect(unknownKeys.isNew(bearer("b"), from: "4:1", at: 4))
    }
}
