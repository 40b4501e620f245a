import Testing

@testable import Shared

@Suite struct WindowTallyTests {
    @Test("what is settled while its charge loses a race is not counted", arguments: [true, false])
    func settledWhileOwed(isKnown: Bool) throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        let place = tally.charge(4, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        _ = tally.commitDraft(isLeasing: false, at: epoch)
        tally.settle(4, used: 1, in: place, at: epoch)
        if isKnown { tally.notWritten() } else { tally.unknown() }
        // Somebody else has added the record.
        tally.absorb(.counts(Record(limit.grid, at: epoch, birth: 2)), birth: 3, isAhead: false, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        guard case .counts(let record) = tally.commitDraft(isLeasing: false, at: epoch).0 else { return }
        #expect(record.total == 1)
    }

    @Test("an outage that begins twice leaves one part, unless the store was seen between")
    func outageBeginsTwice() {
        let limit = Limit(.caller(.chat), Quota(20, .images, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        func rule(_ number: Int) -> OutageRule { OutageRule(rule: .share, instances: 2, rank: nil, epoch: number) }
        #expect(tally.hasRoom(for: 10, by: rule(1), at: epoch))
        _ = tally.charge(10, at: epoch)
        #expect(!tally.hasRoom(for: 1, by: rule(1), at: epoch))
        #expect(!tally.hasRoom(for: 1, by: rule(2), at: epoch))
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        #expect(tally.hasRoom(for: 5, by: rule(3), at: epoch))
        #expect(!tally.hasRoom(for: 6, by: rule(3), at: epoch))
    }
}
