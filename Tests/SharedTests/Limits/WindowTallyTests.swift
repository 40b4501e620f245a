import Testing

@testable import Shared

@Suite struct WindowTallyTests {
    @Test("what is settled while its charge loses a race is not counted", arguments: [true, false])
    func settledWhileOwed(isKnown: Bool) throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.absorb(nil, birth: 1, at: epoch)
        let place = tally.charge(4, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        _ = tally.commitDraft(isLeasing: false, at: epoch)
        tally.settle(4, used: 1, in: place, at: epoch)
        if isKnown { tally.notWritten() } else { tally.unknown() }
        // Somebody else has added the record.
        tally.absorb(.counts(Record(limit.grid, at: epoch, birth: 2)), birth: 3, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        guard case .counts(let record) = tally.commitDraft(isLeasing: false, at: epoch).0 else { return }
        #expect(record.total == 1)
    }
}
