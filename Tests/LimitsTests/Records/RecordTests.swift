import Testing

@testable import Limits

@Suite struct RecordTests {
    static let windows = [1, 59, 60, 86_400, 31_622_400]

    @Test("never more than N in any window, on clocks up to a bucket apart", arguments: windows)
    func neverOver(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        let bucket = layout.windowMicroseconds / layout.perWindow
        for seed in 0..<10 {
            var dice = Dice(seed: seed)
            let bound = 1 + dice.below(60)
            let offsets = [0, dice.below(bucket), bucket]
            var record = Record(layout, at: epoch)
            var admitted: [(time: Int, units: Int)] = []
            var time = epoch
            for _ in 0..<2_000 {
                time += dice.below([bucket / 4, bucket, 6 * bucket, layout.windowMicroseconds / bound][dice.below(4)])
                let local = time + offsets[dice.below(3)]
                let units = 1 + dice.below(min(bound, 4))
                record.roll(to: local)
                // A decision by a clock that is behind the record's bucket is in time, too.
                if record.admit(units, of: bound) { admitted.append((time, units)) }
            }
            #expect(!admitted.isEmpty)
            #expect(mostInAnyWindow(admitted, layout.windowMicroseconds) <= bound, "seed \(seed)")
        }
    }

    @Test("the last bucket kept is needed: a slow clock at a bucket's end, a fast one a window later")
    func lastBucketIsNeeded() {
        let layout = BucketLayout(windowSeconds: 60)
        let bucket = layout.windowMicroseconds / layout.perWindow
        var record = Record(layout, at: epoch)
        let first = layout.end(of: record.newest) - 1
        record.roll(to: first)
        let answer1 = record.admit(1, of: 1)
        #expect(answer1)
        let second = first + layout.windowMicroseconds - 1
        record.roll(to: second + bucket)
        let answer2 = record.admit(1, of: 1)
        #expect(!answer2)
        record.roll(to: second + bucket + 2)
        let answer3 = record.admit(1, of: 1)
        #expect(answer3)
    }

    @Test("a caller that always asks gets nearly all of N per window", arguments: windows)
    func hardlyUnder(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        let share = window < 60 ? 0.96 : 0.98
        for bound in [1, 7, 60, 1_000] {
            var dice = Dice(seed: bound)
            var record = Record(layout, at: epoch)
            let first = epoch + dice.below(layout.windowMicroseconds)
            var admitted = 0
            let step = max(1, layout.windowMicroseconds / 500)
            for time in stride(from: first, to: first + 8 * layout.windowMicroseconds, by: step) {
                record.roll(to: time)
                while record.admit(1, of: bound) { admitted += 1 }
            }
            #expect(Double(admitted) >= share * 8 * Double(bound), "bound \(bound)")
        }
    }

    @Test("retryAfter is the first moment at which the units fit", arguments: windows)
    func retryAfterIsTrue(window: Int) throws {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<20 {
            var dice = Dice(seed: seed)
            let bound = 1 + dice.below(100)
            var record = Record(layout, at: epoch)
            var time = epoch
            for _ in 0..<300 {
                time += dice.below(layout.windowMicroseconds / 50)
                record.roll(to: time)
                let units = 1 + dice.below(bound)
                if record.admit(units, of: bound) { continue }
                let wait = try #require(record.retryAfter(units, of: bound, at: time))
                var early = record
                early.roll(to: time + wait - 1)
                #expect(wait > 0 && !early.hasRoom(for: units, of: bound))
                var then = record
                then.roll(to: time + wait)
                #expect(then.hasRoom(for: units, of: bound))
            }
            #expect(record.retryAfter(bound + 1, of: bound, at: time) == nil)
        }
    }

    @Test("after reset all is free, before it not")
    func resetIsTrue() {
        let layout = BucketLayout(windowSeconds: 60)
        for seed in 0..<200 {
            var dice = Dice(seed: seed)
            var record = Record(random: &dice, layout, near: epoch)
            let time = layout.start(of: record.newest) + dice.below(500_000)
            let reset = record.reset(at: time)
            #expect((reset == 0) == (record.total == 0))
            guard reset > 0 else { continue }
            var early = record
            early.roll(to: time + reset - 1)
            #expect(early.total > 0)
            record.roll(to: time + reset)
            #expect(record.total == 0 && record.remaining(of: 5) == 5)
        }
    }

    @Test("what is given back leaves its bucket, and never more than was there")
    func givesBack() {
        let layout = BucketLayout(windowSeconds: 60)
        var record = Record(layout, at: epoch)
        let bucket = record.newest
        let answer4 = record.admit(5, of: 10)
        #expect(answer4)
        record.roll(to: epoch + 30_000_000)
        let answer5 = record.admit(5, of: 10)
        #expect(answer5)
        let answer6 = record.admit(1, of: 10)
        #expect(!answer6)
        record.giveBack(2, in: bucket)
        #expect(record.total == 8 && record.count(in: bucket) == 3)
        record.giveBack(100, in: bucket)
        #expect(record.total == 5)
        record.giveBack(1, in: bucket - 500)
        record.giveBack(1, in: bucket + 500)
        #expect(record.total == 5)
        record.roll(to: epoch + 63_000_000)
        record.giveBack(5, in: bucket)
        #expect(record.total == 5, "the bucket has left")
        record.charge(100)
        #expect(record.remaining(of: 10) == 0 && record.total == 105)
    }

    @Test("time in a record never runs back")
    func neverBack() {
        let layout = BucketLayout(windowSeconds: 60)
        var record = Record(layout, at: epoch)
        let answer7 = record.admit(1, of: 9)
        #expect(answer7)
        let newest = record.newest
        record.roll(to: epoch - 40_000_000)
        #expect(record.newest == newest && record.total == 1)
        #expect(record.retryAfter(9, of: 9, at: epoch - 500_000) == 61_500_000)
    }

    @Test("leases count in their bucket and until their end")
    func leases() {
        let layout = BucketLayout(windowSeconds: 86_400)
        var record = Record(layout, at: epoch)
        let start = layout.start(of: record.newest)
        record.charge(10)
        record.addLease(4, until: start + 1_000_000, at: start)
        record.addLease(6, until: start + 500_000, at: start)
        #expect(record.leased(at: start) == 10)
        record.endLease(4, in: record.newest - 1)
        #expect(record.leased(at: start) == 10)
        #expect(record.leased(at: start + 999_999) == 10)
        #expect(record.leased(at: start + 1_000_000) == 0)
        record.endLease(4, in: record.newest)
        #expect(record.leased(at: start) == 6)
        record.addLease(3, until: start + 3_000_000, at: start + 1_000_000)
        #expect(record.leased(at: start + 1_000_000) == 3)
        record.roll(to: layout.end(of: record.newest))
        #expect(record.leased(at: start) == 0)
    }

    @Test("join is commutative, associative and idempotent", arguments: [1, 60, 86_400])
    func joins(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<50 {
            var dice = Dice(seed: seed)
            let records = (0..<3)
                .map { _ in
                    var record = Record(
                        random: &dice,
                        layout,
                        near: epoch + dice.below(2 * layout.windowMicroseconds)
                    )
                    record.birth = 1
                    return record
                }
            let (a, b, c) = (records[0], records[1], records[2])
            #expect(a.joined(b) == b.joined(a))
            #expect(a.joined(b).joined(c) == a.joined(b.joined(c)))
            #expect(a.joined(a) == a)
            #expect(a.joined(b).joined(b) == a.joined(b))
            for bucket in a.joined(b).oldest...a.joined(b).newest {
                #expect(a.joined(b).count(in: bucket) == max(a.count(in: bucket), b.count(in: bucket)))
            }
        }
    }

    @Test("units of an outage are added, each in its bucket")
    func adds() {
        let layout = BucketLayout(windowSeconds: 60)
        for seed in 0..<100 {
            var dice = Dice(seed: seed)
            let one = Record(random: &dice, layout, near: epoch)
            let other = Record(random: &dice, layout, near: epoch + dice.below(60_000_000))
            var sum = one
            sum.add(other)
            #expect(sum.newest == max(one.newest, other.newest))
            var total = 0
            for bucket in sum.oldest...sum.newest {
                #expect(sum.count(in: bucket) == one.count(in: bucket) + other.count(in: bucket))
                total += sum.count(in: bucket)
            }
            #expect(sum.total == total)
        }
    }

    @Test("only a record beyond a window and five seconds counts as broken")
    func tooFarAhead() {
        let record = Record(BucketLayout(windowSeconds: 60), at: epoch)
        #expect(!record.isTooFarAhead(of: epoch - 64_000_000))
        #expect(record.isTooFarAhead(of: epoch - 66_000_000))
    }
}

extension Record {
    fileprivate func joined(_ other: Record) -> Record {
        var joined = self
        joined.join(other)
        return joined
    }
}

/// Records that the store has lost, and that instances put back from their copies.
@Suite struct LostRecordTests {
    private let layout = BucketLayout(windowSeconds: 3_600)

    private func copy(_ units: Int, birth: UInt64 = 1) -> Record {
        var record = Record(layout, at: epoch, birth: birth)
        record.charge(units)
        return record
    }

    @Test(
        "of two copies the newer one counts, whichever is put back first",
        arguments: [[5, 6], [6, 5], [5, 6, 5, 6]]
    )
    func newer(versions: [UInt64]) {
        var record = copy(4, birth: 2)
        for version in versions { _ = record.restore(copy(version == 5 ? 60_000 : 15), version: version) }
        #expect(record.total == 19)
    }

    @Test("units that are given back between two copies stay given back")
    func settled() {
        var record = Record(layout, at: epoch, birth: 2)
        _ = record.restore(copy(60_000), version: 5)
        record.giveBack(59_985, in: record.newest)
        for version in [6, 5] as [UInt64] {
            let isChanged = record.restore(copy(version == 5 ? 60_000 : 60_061), version: version)
            #expect(isChanged == (version == 6) && record.total == 76)
        }
    }

    @Test("a mixture of records, and a copy of a third record, raise buckets to the larger count only")
    func mixture() {
        var record = Record(layout, at: epoch, birth: 2)
        for (other, version) in [(copy(10), 5), (copy(8), 0), (copy(12, birth: 3), 9)] as [(Record, UInt64)] {
            let isChanged = record.restore(other, version: version)
            #expect(isChanged && record.total == max(10, other.total))
        }
    }

    @Test("a copy is not added to a mixture that may contain it")
    func copyAfterMixture() {
        var record = copy(4, birth: 2)
        for (other, version) in [(copy(10), 0), (copy(12), 5), (copy(11), 6)] as [(Record, UInt64)] {
            _ = record.restore(other, version: version)
        }
        #expect(record.total == 12)
    }

    @Test("an origin leaves the record with its last bucket, and stays when an operator resets the limit")
    func origin() {
        var record = Record(layout, at: epoch, birth: 2)
        _ = record.restore(copy(10), version: 5)
        record.empty(at: epoch)
        let isChanged = record.restore(copy(10), version: 5)
        #expect(!isChanged && record.total == 0)
        record.roll(to: epoch + 3_600_000_000)
        #expect(record.origin != nil)
        record.roll(to: epoch + 3_720_000_000)
        #expect(record.origin == nil)
    }

    @Test("an origin stays as long as its turns count")
    func originOfTurns() {
        var before = copy(10)
        let turn = before.newest + 50
        before.change(turn, to: 3)
        var record = Record(layout, at: epoch, birth: 2)
        _ = record.restore(before, version: 5)
        record.roll(to: layout.start(of: turn) + 3_600_000_000)
        #expect(record.origin != nil && record.count(in: turn) == 3)
        record.roll(to: layout.start(of: turn) + 3_720_000_000)
        #expect(record.origin == nil)
    }
}
