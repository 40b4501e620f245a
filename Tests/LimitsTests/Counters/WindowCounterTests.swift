import Testing

@testable import Limits

@Suite struct WindowCounterTests {
    @Test("what is settled while its charge loses a race is not counted", arguments: [true, false])
    func settledWhileOwed(isKnown: Bool) throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        let bucket = counter.charge(4, at: epoch)
        counter.beginDraft(isTaking: false, at: epoch)
        _ = counter.commitDraft(leasing: nil, at: epoch)
        counter.settle(4, used: 1, in: bucket, at: epoch)
        if isKnown { counter.notWritten() } else { counter.unknown(mark: 7) }
        // Another instance has added the record.
        counter.absorb(.counts(Record(limit.layout, at: epoch, birth: 2)), birth: 3, isAhead: false, at: epoch)
        counter.beginDraft(isTaking: false, at: epoch)
        guard case .counts(let record) = counter.commitDraft(leasing: nil, at: epoch).0 else { return }
        #expect(record.total == 1)
    }

    /// The record that a read finds after a write without an answer.
    enum Found: CaseIterable, Sendable {
        case done, notDone, lateDone, otherAfterIt, sameOfOther
    }

    @Test(
        "a read shows what became of a write without an answer, if no other write came after it",
        arguments: Found.allCases
    )
    func unknownWrite(_ found: Found) throws {
        let limit = Limit(.caller(.chat), Quota(100, .tokens, per: .hour))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        func draft(admitting units: Int = 0) throws -> Record {
            counter.beginDraft(isTaking: true, at: epoch)
            if units > 0 { #expect(counter.admit(units, by: nil, at: epoch)) }
            #expect(counter.isDraftChanged)
            guard case .counts(let record) = counter.commitDraft(leasing: nil, at: epoch).0 else { throw Unexpected() }
            return record
        }
        let before = try draft(admitting: 40)
        counter.written(version: 5, at: epoch)
        counter.settle(40, used: 10, in: BucketIndex(number: before.newest, birth: 1), at: epoch)
        let written = try draft(admitting: 20)
        #expect(written.total == 30)
        counter.unknown(mark: 7)
        #expect(counter.needsWrite(at: epoch) && counter.owes)
        _ = counter.charge(20, at: epoch)  // admitted by the rule
        func read(_ record: Record, version: UInt64, mark: UInt32) {
            counter.absorb(.counts(record), version: version, mark: mark, birth: 2, isAhead: false, at: epoch)
        }
        var other = written
        other.charge(1)
        switch found {
        case .done: read(written, version: 6, mark: 7)
        case .notDone: read(before, version: 5, mark: 6)
        case .lateDone:
            read(before, version: 5, mark: 6)
            #expect(try draft().total == 30)
            counter.notWritten()
            read(written, version: 6, mark: 7)
        case .otherAfterIt: read(other, version: 7, mark: 8)
        case .sameOfOther: read(written, version: 6, mark: 8)
        }
        let expected = found == .otherAfterIt ? 51 : found == .sameOfOther ? 50 : 30
        #expect(try draft().total == expected)
        counter.written(version: 9, at: epoch)
        #expect(!counter.needsWrite(at: epoch) && !counter.owes)
    }

    @Test("of several writes without an answer one at most is done, perhaps late", arguments: 0...2)
    func unknownWrites(done: Int) throws {
        let limit = Limit(.caller(.chat), Quota(1_000, .tokens, per: .hour))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        var before = Record(limit.layout, at: epoch, birth: 1)
        before.charge(100)
        let bucket = BucketIndex(number: before.newest, birth: 1)
        var written: [Record] = []
        for mark in 1...2 {
            counter.absorb(.counts(before), version: 5, mark: 9, birth: 2, isAhead: false, at: epoch)
            counter.giveBack(10, in: bucket, at: epoch)
            _ = counter.charge(5, at: epoch)
            counter.beginDraft(isTaking: true, at: epoch)
            counter.remove(2, from: bucket)
            #expect(counter.admit(50, by: nil, at: epoch))
            guard case .counts(let record) = counter.commitDraft(leasing: nil, at: epoch).0 else { return }
            written.append(record)
            counter.unknown(mark: UInt32(mark))
        }
        #expect(written.map(\.total) == [143, 136])
        if done == 0 {
            counter.absorb(.counts(before), version: 5, mark: 9, birth: 2, isAhead: false, at: epoch)
        } else {
            let record = StoredRecord.counts(written[done - 1])
            counter.absorb(record, version: 6, mark: UInt32(done), birth: 2, isAhead: false, at: epoch)
        }
        counter.beginDraft(isTaking: true, at: epoch)
        guard case .counts(let record) = counter.commitDraft(leasing: nil, at: epoch).0 else { return }
        #expect(record.total == 100 - 2 * (10 + 2) + 2 * 5)
    }

    @Test("an outage that begins twice leaves one part, unless the store was seen between")
    func outageBeginsTwice() {
        let limit = Limit(.caller(.chat), Quota(20, .images, per: .minute))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        func rule(_ number: Int) -> OutageRule { OutageRule(rule: .share, instances: 2, rank: nil, epoch: number) }
        #expect(counter.hasRoom(for: 10, by: rule(1), at: epoch))
        _ = counter.charge(10, at: epoch)
        #expect(!counter.hasRoom(for: 1, by: rule(1), at: epoch))
        #expect(!counter.hasRoom(for: 1, by: rule(2), at: epoch))
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        #expect(counter.hasRoom(for: 5, by: rule(3), at: epoch))
        #expect(!counter.hasRoom(for: 6, by: rule(3), at: epoch))
    }

    @Test("who is refused as the part of a month is used up returns at the end of the month at the latest")
    func partOfMonth() {
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: epoch + 60_000_000, endText: "")
        let limit = Limit(.key(nil), Quota(20, per: .month), in: period)
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        let rule = OutageRule(rule: .share, instances: 2, rank: nil, epoch: 1)
        #expect(counter.hasRoom(for: 10, by: rule, at: epoch))
        _ = counter.charge(10, at: epoch)
        #expect(counter.refusal(of: 1, by: rule, at: epoch)?.wait == 60_000_000)
    }

    @Test("an answer up to a sixteenth of the window late is used, and counted where it was used")
    func usedLate() throws {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .minute))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        counter.beginDraft(isTaking: true, at: epoch)
        #expect(counter.admit(10, by: nil, at: epoch))
        let bucket = counter.commitDraft(leasing: nil, at: epoch).1
        counter.written(at: epoch)
        let end = limit.layout.end(of: bucket.number)
        #expect(counter.use(10, in: bucket, at: end - 1) == bucket)
        #expect(counter.use(10, in: bucket, at: end + 3_750_000) == nil)
        let later = end + 3_749_999
        let moved = try #require(counter.use(10, in: bucket, at: later))
        #expect(moved.number == limit.layout.bucket(at: later))
        #expect(!counter.hasRoom(for: 1, at: later), "they count once")
        // The charge is written, and repeated if its outcome is unknown. The refund is not repeated.
        counter.beginDraft(isTaking: false, at: later)
        guard case .counts(let record) = counter.commitDraft(leasing: nil, at: later).0 else { return }
        #expect(record.count(in: moved.number) == 10 && record.total == 10)
        counter.unknown(mark: 7)
        counter.beginDraft(isTaking: false, at: later)
        guard case .counts(let again) = counter.commitDraft(leasing: nil, at: later).0 else { return }
        #expect(again.count(in: moved.number) == 10 && again.total == 20)
    }

    @Test("what was moved waits for a write that is needed anyway, a second at most; what is known late does not")
    func movedSoon() throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        counter.beginDraft(isTaking: true, at: epoch)
        #expect(counter.admit(4, by: nil, at: epoch))
        let bucket = counter.commitDraft(leasing: nil, at: epoch).1
        counter.written(at: epoch)
        let late = limit.layout.end(of: bucket.number) + 1
        _ = try #require(counter.use(4, in: bucket, at: late))
        #expect(!counter.needsWrite(at: late) && counter.dueTime() == late + 1_000_000)
        #expect(counter.needsWrite(at: late + 1_000_000))
        #expect(counter.needsWrite(at: late - 1), "the clock was set back")
        counter.beginDraft(isTaking: true, at: late)
        #expect(!counter.isDraftChanged, "a refusal alone writes nothing")
        counter.dropDraft()
        // A write that is needed anyway includes the change.
        counter.beginDraft(isTaking: true, at: late)
        #expect(counter.admit(1, by: nil, at: late))
        guard case .counts(let record) = counter.commitDraft(leasing: nil, at: late).0 else { return }
        #expect(record.total == 5 && record.count(in: bucket.number) == 0)
        counter.written(at: late)
        #expect(!counter.needsWrite(at: late + 1_000_000))
        _ = try #require(counter.use(1, in: bucket, at: late))
        _ = counter.charge(1, at: late)
        #expect(counter.needsWrite(at: late))
    }

    @Test("where each write is a race, a lease may be used as long as a late answer may")
    func leasedLate() throws {
        let limit = Limit(.caller(.chat), Quota(1_000, per: .second, times: 6))
        let sums = CounterSums()
        let counter = WindowCounter(limit, isShared: true, sums: sums, at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        counter.beginDraft(isTaking: true, at: epoch)
        for _ in 0..<30 { #expect(counter.admit(1, by: nil, at: epoch)) }
        _ = counter.commitDraft(leasing: nil, at: epoch)
        counter.written(at: epoch)
        counter.beginDraft(isTaking: true, at: epoch)
        #expect(counter.admit(1, by: nil, at: epoch))
        let (written, bucket) = counter.commitDraft(
            leasing: LeaseConditions(isContended: true, isSlow: true, instances: 4),
            at: epoch
        )
        counter.written(at: epoch)
        guard case .counts(let record) = written else { return }
        #expect(sums.openUnits == 25 && record.total == 56, "a quarter of a tenth of the limit")
        let end = limit.layout.end(of: bucket.number)
        #expect(counter.spend(1, at: end - 1) == bucket)
        let moved = try #require(counter.spend(1, at: end))
        #expect(moved.number == bucket.number + 1 && moved.birth == nil)
        let last = end + limit.layout.graceMicroseconds
        #expect(counter.spend(1, at: last) == nil)
        #expect(counter.needsWrite(at: last), "what was moved")
        counter.beginDraft(isTaking: false, at: last)
        guard case .counts(let next) = counter.commitDraft(leasing: nil, at: last).0 else { return }
        // The record counts the units used in their bucket and those that were moved. The rest is refunded.
        #expect(next.count(in: bucket.number) == 32 && next.count(in: moved.number) == 1 && next.total == 33)
        #expect(sums.openUnits == 0)
    }

    @Test("where each write is a race, the first one takes a lease already", arguments: [(1_000, 8), (80, 4), (79, 0)])
    func leasedAtFirst(_ bound: Int, units: Int) {
        let race = LeaseConditions(isContended: true, isSlow: true, instances: 2)
        #expect(leased(of: bound, writes: 1, race) == units)
        #expect(leased(of: bound, writes: 1, LeaseConditions(isContended: false, isSlow: false, instances: 2)) == 0)
    }

    @Test("where answers are late, the second of two writes takes a lease, though others were not seen")
    func leasedUnseen() {
        let conditions = LeaseConditions(isContended: false, isSlow: true, instances: 2)
        #expect(leased(of: 1_000, writes: 1, conditions) == 0)
        #expect(leased(of: 1_000, writes: 2, conditions) == 8)
        #expect(leased(of: 1_000, writes: 2, LeaseConditions(isContended: false, isSlow: true, instances: 1)) == 0)
    }

    /// Returns the units of the lease after so many writes.
    private func leased(of bound: Int, writes: Int, _ conditions: LeaseConditions) -> Int {
        let sums = CounterSums()
        let limit = Limit(.caller(.chat), Quota(bound, per: .second, times: 6))
        let counter = WindowCounter(limit, isShared: true, sums: sums, at: epoch)
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        for _ in 0..<writes {
            counter.beginDraft(isTaking: true, at: epoch)
            #expect(counter.admit(1, by: nil, at: epoch))
            _ = counter.commitDraft(leasing: conditions, at: epoch)
            counter.written(at: epoch)
        }
        return sums.openUnits
    }

    @Test("a record ahead of all clocks is moved back, and keeps others out")
    func movedBack() throws {
        let limit = Limit(.caller(.chat), Quota(10, per: .minute))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        var ahead = Record(limit.layout, at: epoch + 3_600_000_000, birth: 7)
        ahead.charge(9)
        counter.absorb(.counts(ahead), birth: 1, isAhead: true, at: epoch)
        #expect(counter.hasRoom(for: 1, at: epoch) && !counter.hasRoom(for: 2, at: epoch))
        counter.beginDraft(isTaking: false, at: epoch)
        #expect(counter.isDraftChanged)
        guard case .counts(let record) = counter.commitDraft(leasing: nil, at: epoch).0 else { return }
        #expect(record.newest == limit.layout.bucket(at: epoch) && record.total == 9 && record.birth == 7)
        counter.written(at: epoch)
        counter.beginDraft(isTaking: false, at: epoch)
        #expect(!counter.isDraftChanged)
    }

    @Test("what cannot be shared out evenly goes to the first by rank; each has it where ranks are not known")
    func ranks() {
        func parts(_ left: Int, _ ranks: [Int?]) -> [Int] {
            ranks.map { OutageRule(rule: .share, instances: 4, rank: $0, epoch: 0).part(of: left) }
        }
        for left in 0..<20 { #expect(parts(left, [0, 1, 2, 3]).reduce(0, +) == left) }
        #expect(parts(6, [0, 1, 2, 3]) == [2, 2, 1, 1])
        #expect(parts(6, [nil, nil]) == [2, 2])
        #expect(parts(-3, [0]) == [0])
    }

    @Test("where answers are late, a bucket counts a little longer than the record holds it")
    func leftBucket() throws {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .second))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.lateness = 60_000
        counter.absorb(nil, birth: 1, isAhead: false, at: epoch)
        #expect(counter.countUnknown(at: epoch) == 0, "nothing can have left a new record")
        var theirs = Record(limit.layout, at: epoch, birth: 2)
        theirs.charge(10)
        counter.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 200_000)
        let end = limit.layout.end(of: theirs.newest)
        let leaves = limit.layout.start(of: theirs.newest + limit.layout.kept)
        #expect(leaves < end + 1_060_000)
        #expect(counter.refusal(of: 1, by: nil, at: epoch + 200_000)?.wait == end + 1_060_000 - epoch - 200_000)
        #expect(!counter.hasRoom(for: 1, at: leaves))
        #expect(counter.refusal(of: 1, by: nil, at: leaves)?.wait == end + 1_060_000 - leaves)
        #expect(!counter.hasRoom(for: 1, at: end + 1_059_999))
        #expect(counter.hasRoom(for: 10, at: end + 1_060_000))
        counter.lateness = 0
        #expect(counter.hasRoom(for: 10, at: end + 1_060_000))
    }

    @Test("who has not seen a record for a window waits until nothing that has left it can matter")
    func unknownBuckets() {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .second))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch)
        counter.lateness = 60_000
        let theirs = Record(limit.layout, at: epoch, birth: 2)
        counter.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch)
        #expect(counter.countUnknown(at: epoch) == 60_000 - 16_666)
        #expect(counter.countUnknown(at: epoch) == 0, "once")
        counter.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 500_000)
        #expect(counter.countUnknown(at: epoch + 500_000) == 0)
        counter.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 1_500_000)
        #expect(counter.countUnknown(at: epoch + 1_500_000) > 0)
    }

    @Test("a clock that begins in 1970 has no buckets before")
    func earlyClock() {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .day))
        let counter = WindowCounter(limit, isShared: true, sums: CounterSums(), at: 0)
        counter.lateness = 800_000_000
        var record = Record(limit.layout, at: 0, birth: 2)
        record.charge(1)
        counter.absorb(.counts(record), birth: 1, isAhead: false, at: 0)
        #expect(counter.hasRoom(for: 9, at: 1_500_000_000) && !counter.hasRoom(for: 10, at: 1_500_000_000))
    }
}

private struct Unexpected: Error {}
