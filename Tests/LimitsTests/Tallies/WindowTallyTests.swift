import Testing

@testable import Limits

@Suite struct WindowTallyTests {
    @Test("what is settled while its charge loses a race is not counted", arguments: [true, false])
    func settledWhileOwed(isKnown: Bool) throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        let place = tally.charge(4, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        _ = tally.commitDraft(leasing: nil, at: epoch)
        tally.settle(4, used: 1, in: place, at: epoch)
        if isKnown { tally.notWritten() } else { tally.unknown() }
        // Another instance has added the record.
        tally.absorb(.counts(Record(limit.grid, at: epoch, birth: 2)), birth: 3, isAhead: false, at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        guard case .counts(let record) = tally.commitDraft(leasing: nil, at: epoch).0 else { return }
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

    @Test("an answer up to a sixteenth of the window late is used, and counted where it was used")
    func usedLate() throws {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        tally.beginDraft(isTaking: true, at: epoch)
        #expect(tally.admit(10, by: nil, at: epoch))
        let place = tally.commitDraft(leasing: nil, at: epoch).1
        tally.written(at: epoch)
        let end = limit.grid.end(of: place.number)
        #expect(tally.use(10, in: place, at: end - 1) == place)
        #expect(tally.use(10, in: place, at: end + 3_750_000) == nil)
        let later = end + 3_749_999
        let moved = try #require(tally.use(10, in: place, at: later))
        #expect(moved.number == limit.grid.bucket(at: later))
        #expect(!tally.hasRoom(for: 1, at: later), "they count once")
        // The charge is written, and repeated if its outcome is unknown. The refund is not repeated.
        tally.beginDraft(isTaking: false, at: later)
        guard case .counts(let record) = tally.commitDraft(leasing: nil, at: later).0 else { return }
        #expect(record.count(in: moved.number) == 10 && record.total == 10)
        tally.unknown()
        tally.beginDraft(isTaking: false, at: later)
        guard case .counts(let again) = tally.commitDraft(leasing: nil, at: later).0 else { return }
        #expect(again.count(in: moved.number) == 10 && again.total == 20)
    }

    @Test("what was moved waits for a write that is needed anyway, a second at most; what is known late does not")
    func movedSoon() throws {
        let limit = Limit(.caller(.chat), Quota(10, .tokens, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        tally.beginDraft(isTaking: true, at: epoch)
        #expect(tally.admit(4, by: nil, at: epoch))
        let place = tally.commitDraft(leasing: nil, at: epoch).1
        tally.written(at: epoch)
        let late = limit.grid.end(of: place.number) + 1
        _ = try #require(tally.use(4, in: place, at: late))
        #expect(!tally.needsWrite(at: late) && tally.dueTime() == late + 1_000_000)
        #expect(tally.needsWrite(at: late + 1_000_000))
        #expect(tally.needsWrite(at: late - 1), "the clock was set back")
        tally.beginDraft(isTaking: true, at: late)
        #expect(!tally.isDraftChanged, "a refusal alone writes nothing")
        tally.dropDraft()
        // A write that is needed anyway includes the change.
        tally.beginDraft(isTaking: true, at: late)
        #expect(tally.admit(1, by: nil, at: late))
        guard case .counts(let record) = tally.commitDraft(leasing: nil, at: late).0 else { return }
        #expect(record.total == 5 && record.count(in: place.number) == 0)
        tally.written(at: late)
        #expect(!tally.needsWrite(at: late + 1_000_000))
        _ = try #require(tally.use(1, in: place, at: late))
        _ = tally.charge(1, at: late)
        #expect(tally.needsWrite(at: late))
    }

    @Test("where each write is a race, a lease may be used as long as a late answer may")
    func leasedLate() throws {
        let limit = Limit(.caller(.chat), Quota(1_000, per: .second, times: 6))
        let sums = TallySums()
        let tally = WindowTally(limit, isShared: true, sums: sums, at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        tally.beginDraft(isTaking: true, at: epoch)
        for _ in 0..<30 { #expect(tally.admit(1, by: nil, at: epoch)) }
        _ = tally.commitDraft(leasing: nil, at: epoch)
        tally.written(at: epoch)
        tally.beginDraft(isTaking: true, at: epoch)
        #expect(tally.admit(1, by: nil, at: epoch))
        let (written, place) = tally.commitDraft(
            leasing: LeaseTerms(isContended: true, isSlow: true, instances: 4),
            at: epoch
        )
        tally.written(at: epoch)
        guard case .counts(let record) = written else { return }
        #expect(sums.openUnits == 25 && record.total == 56, "a quarter of a tenth of the limit")
        let end = limit.grid.end(of: place.number)
        #expect(tally.spend(1, at: end - 1) == place)
        let moved = try #require(tally.spend(1, at: end))
        #expect(moved.number == place.number + 1 && moved.birth == nil)
        let last = end + limit.grid.graceMicroseconds
        #expect(tally.spend(1, at: last) == nil)
        #expect(tally.needsWrite(at: last), "what was moved")
        tally.beginDraft(isTaking: false, at: last)
        guard case .counts(let next) = tally.commitDraft(leasing: nil, at: last).0 else { return }
        // The record counts the units used in their bucket and those that were moved. The rest is refunded.
        #expect(next.count(in: place.number) == 32 && next.count(in: moved.number) == 1 && next.total == 33)
        #expect(sums.openUnits == 0)
    }

    @Test("where each write is a race, the first one takes a lease already", arguments: [(1_000, 8), (80, 4), (79, 0)])
    func leasedAtFirst(_ bound: Int, units: Int) {
        let race = LeaseTerms(isContended: true, isSlow: true, instances: 2)
        #expect(leased(of: bound, writes: 1, race) == units)
        #expect(leased(of: bound, writes: 1, LeaseTerms(isContended: false, isSlow: false, instances: 2)) == 0)
    }

    @Test("where answers are late, the second of two writes takes a lease, though others were not seen")
    func leasedUnseen() {
        let terms = LeaseTerms(isContended: false, isSlow: true, instances: 2)
        #expect(leased(of: 1_000, writes: 1, terms) == 0)
        #expect(leased(of: 1_000, writes: 2, terms) == 8)
        #expect(leased(of: 1_000, writes: 2, LeaseTerms(isContended: false, isSlow: true, instances: 1)) == 0)
    }

    /// Returns the units of the lease after so many writes.
    private func leased(of bound: Int, writes: Int, _ terms: LeaseTerms) -> Int {
        let sums = TallySums()
        let limit = Limit(.caller(.chat), Quota(bound, per: .second, times: 6))
        let tally = WindowTally(limit, isShared: true, sums: sums, at: epoch)
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        for _ in 0..<writes {
            tally.beginDraft(isTaking: true, at: epoch)
            #expect(tally.admit(1, by: nil, at: epoch))
            _ = tally.commitDraft(leasing: terms, at: epoch)
            tally.written(at: epoch)
        }
        return sums.openUnits
    }

    @Test("a record ahead of all clocks is moved back, and keeps others out")
    func movedBack() throws {
        let limit = Limit(.caller(.chat), Quota(10, per: .minute))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        var ahead = Record(limit.grid, at: epoch + 3_600_000_000, birth: 7)
        ahead.charge(9)
        tally.absorb(.counts(ahead), birth: 1, isAhead: true, at: epoch)
        #expect(tally.hasRoom(for: 1, at: epoch) && !tally.hasRoom(for: 2, at: epoch))
        tally.beginDraft(isTaking: false, at: epoch)
        #expect(tally.isDraftChanged)
        guard case .counts(let record) = tally.commitDraft(leasing: nil, at: epoch).0 else { return }
        #expect(record.newest == limit.grid.bucket(at: epoch) && record.total == 9 && record.birth == 7)
        tally.written(at: epoch)
        tally.beginDraft(isTaking: false, at: epoch)
        #expect(!tally.isDraftChanged)
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
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.lateness = 60_000
        tally.absorb(nil, birth: 1, isAhead: false, at: epoch)
        #expect(tally.takeUnknown(at: epoch) == 0, "nothing can have left a new record")
        var theirs = Record(limit.grid, at: epoch, birth: 2)
        theirs.charge(10)
        tally.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 200_000)
        let end = limit.grid.end(of: theirs.newest)
        let leaves = limit.grid.start(of: theirs.newest + limit.grid.kept)
        #expect(leaves < end + 1_060_000)
        #expect(!tally.hasRoom(for: 1, at: leaves))
        #expect(tally.refusal(of: 1, by: nil, at: leaves)?.wait == end + 1_060_000 - leaves)
        #expect(!tally.hasRoom(for: 1, at: end + 1_059_999))
        #expect(tally.hasRoom(for: 10, at: end + 1_060_000))
        tally.lateness = 0
        #expect(tally.hasRoom(for: 10, at: end + 1_060_000))
    }

    @Test("who has not seen a record for a window waits until nothing that has left it can matter")
    func unknownBuckets() {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .second))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: epoch)
        tally.lateness = 60_000
        let theirs = Record(limit.grid, at: epoch, birth: 2)
        tally.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch)
        #expect(tally.takeUnknown(at: epoch) == 60_000 - 16_666)
        #expect(tally.takeUnknown(at: epoch) == 0, "once")
        tally.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 500_000)
        #expect(tally.takeUnknown(at: epoch + 500_000) == 0)
        tally.absorb(.counts(theirs), birth: 1, isAhead: false, at: epoch + 1_500_000)
        #expect(tally.takeUnknown(at: epoch + 1_500_000) > 0)
    }

    @Test("a clock that begins in 1970 has no buckets before")
    func earlyClock() {
        let limit = Limit(.caller(.chat), Quota(10, .images, per: .day))
        let tally = WindowTally(limit, isShared: true, sums: TallySums(), at: 0)
        tally.lateness = 800_000_000
        var record = Record(limit.grid, at: 0, birth: 2)
        record.charge(1)
        tally.absorb(.counts(record), birth: 1, isAhead: false, at: 0)
        #expect(tally.hasRoom(for: 9, at: 1_500_000_000) && !tally.hasRoom(for: 10, at: 1_500_000_000))
    }
}
