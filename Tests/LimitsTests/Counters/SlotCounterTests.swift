import Testing

@testable import Limits

@Suite struct SlotCounterTests {
    @Test("slots whose write had no answer are written again, also where none are held any more")
    func isRepeated() {
        let limit = Limit(.caller(.chat), Quota(5, .concurrent, per: .second))
        let counter = SlotCounter(limit, isShared: true, sums: CounterSums(), instance: 7, slotMicroseconds: 30_000_000)
        func write(taking units: Int) -> [SlotRecord.Entry] {
            counter.beginDraft(isTaking: units > 0, at: epoch)
            #expect(counter.admit(units, by: nil, at: epoch))
            guard counter.isDraftChanged, case .slots(let record) = counter.commitDraft(leasing: nil, at: epoch).0
            else { return [] }
            return record.entries
        }
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        let taken = write(taking: 1)
        #expect(taken.map(\.held) == [1])
        counter.unknown()
        // The write may still reach the store after this read: only another write prevents that.
        counter.absorb(nil, birth: 2, isAhead: false, at: epoch)
        #expect(counter.needsWrite(at: epoch))
        counter.beginDraft(isTaking: false, at: epoch)
        #expect(counter.isDraftChanged)
        _ = counter.commitDraft(leasing: nil, at: epoch)
        counter.written(at: epoch)
        #expect(!counter.needsWrite(at: epoch))
    }
}
