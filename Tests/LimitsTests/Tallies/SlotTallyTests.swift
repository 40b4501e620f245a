import Testing

@testable import Limits

@Suite struct SlotTallyTests {
    @Test("slots whose write had no answer are written again, also where none are held any more")
    func isRepeated() {
        let limit = Limit(.caller(.chat), Quota(5, .concurrent, per: .second))
        let tally = SlotTally(limit, isShared: true, sums: TallySums(), instance: 7, spanMicroseconds: 30_000_000)
        func write(taking units: Int) -> [SlotRecord.Entry] {
            tally.beginDraft(isTaking: units > 0, at: epoch)
            #expect(tally.admit(units, by: nil, at: epoch))
            guard tally.isDraftChanged, case .slots(let record) = tally.commitDraft(leasing: nil, at: epoch).0
            else { return [] }
            return record.entries
        }
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        let taken = write(taking: 1)
        #expect(taken.map(\.held) == [1])
        tally.unknown()
        // The write may still reach the store after this read: only another write prevents that.
        tally.absorb(nil, birth: 2, isAhead: false, at: epoch)
        #expect(tally.needsWrite(at: epoch))
        tally.beginDraft(isTaking: false, at: epoch)
        #expect(tally.isDraftChanged)
        _ = tally.commitDraft(leasing: nil, at: epoch)
        tally.written(at: epoch)
        #expect(!tally.needsWrite(at: epoch))
    }
}
