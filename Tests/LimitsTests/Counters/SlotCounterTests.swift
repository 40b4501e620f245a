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
        counter.unknown(mark: 7)
        // The write may still reach the store after this read: only another write prevents that.
        counter.absorb(nil, birth: 2, isAhead: false, at: epoch)
        #expect(counter.needsWrite(at: epoch))
        counter.beginDraft(isTaking: false, at: epoch)
        #expect(counter.isDraftChanged)
        _ = counter.commitDraft(leasing: nil, at: epoch)
        counter.written(at: epoch)
        #expect(!counter.needsWrite(at: epoch))
    }

    @Test("free slots are left to instances whose requests came earlier, but not for longer than two looks")
    func isLeft() {
        let limit = Limit(.caller(.chat), Quota(3, .concurrent, per: .second))
        let counter = SlotCounter(limit, isShared: true, sums: CounterSums(), instance: 7, slotMicroseconds: 30_000_000)
        func record(_ others: [(held: Int, since: Int)]) -> StoredRecord {
            var record = SlotRecord()
            for (index, other) in others.enumerated() {
                let end = epoch / 1_000 + 30_000
                var entry = SlotRecord.Entry(instance: UInt64(index + 1), held: other.held, endMilliseconds: end)
                entry.waitingSince = other.since == 0 ? 0 : epoch / 1_000 + other.since
                record.put(entry, at: epoch, slotMicroseconds: 30_000_000)
            }
            return .slots(record)
        }
        /// Returns how many slots the counter takes after it has read the record.
        func taken(_ others: [(held: Int, since: Int)], waiting since: Int?, at milliseconds: Int = 0) -> Int {
            let time = epoch + 1_000 * milliseconds
            counter.wait(since: since.map { epoch + 1_000 * $0 })
            counter.absorb(record(others), birth: 1, isAhead: false, at: time)
            counter.beginDraft(isTaking: true, at: time)
            defer { counter.dropDraft() }
            return (0..<10).first { _ in !counter.admit(1, by: nil, at: time) } ?? 10
        }
        #expect(taken([(1, 0), (0, 0)], waiting: nil) == 2)
        #expect(taken([(1, 0), (0, 5)], waiting: nil) == 1, "who comes now comes last")
        #expect(taken([(1, 0), (0, 5)], waiting: 4) == 2)
        #expect(taken([(1, 4), (0, 5)], waiting: 6) == 0)
        #expect(taken([(1, 4), (0, 5)], waiting: 6, at: 199) == 0)
        #expect(taken([(1, 4), (0, 5)], waiting: 6, at: 200) == 2, "they do not take them")
        #expect(taken([(3, 4), (0, 5)], waiting: 6, at: 300) == 0)
        #expect(taken([(2, 4), (0, 5)], waiting: 6, at: 400) == 0, "another slot")
        #expect(taken([(2, 4), (0, 5)], waiting: 6, at: 30_000) == 3, "entries end")
    }
}
