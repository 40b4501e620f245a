import Testing

@testable import Limits

@Suite struct TurnTests {
    static let windows = [1, 60, 3_600]

    /// A record as a plain table of units by bucket.
    private struct Plain {
        let layout: BucketLayout
        var newest: Int
        var units: [Int: Int] = [:]

        func sum(at bucket: Int) -> Int {
            units.reduce(0) { $1.key > bucket - layout.kept && $1.key <= bucket ? $0 + $1.value : $0 }
        }

        func fits(_ more: Int, in bucket: Int, of bound: Int) -> Bool {
            let later = units.keys.filter { $0 > bucket && $0 < bucket + layout.kept }
            return ([bucket] + later).allSatisfy { sum(at: $0) + more <= bound }
        }

        /// Room appears only where units leave.
        func turn(_ more: Int, of bound: Int, from first: Int, by last: Int) -> Int? {
            let first = max(first, newest)
            let all = [first] + units.keys.map { $0 + layout.kept }.filter { $0 > first }.sorted()
            return all.first { $0 <= last && fits(more, in: $0, of: bound) }
        }

        mutating func roll(to bucket: Int) {
            newest = max(newest, bucket)
            units = units.filter { $0.key > newest - layout.kept }
        }
    }

    /// A record with turns, and the table that has the same units.
    private static func random(_ dice: inout Dice, _ layout: BucketLayout, of bound: Int) -> (Record, Plain) {
        var record = Record(layout, at: epoch, birth: dice.next())
        var plain = Plain(layout: layout, newest: record.newest)
        for _ in 0..<150 { step(&record, &plain, of: bound, &dice) }
        return (record, plain)
    }

    /// Rolls, charges, takes a turn, or gives units back.
    private static func step(_ record: inout Record, _ plain: inout Plain, of bound: Int, _ dice: inout Dice) {
        let more = 1 + dice.below(max(1, bound / 4))
        let bucket = plain.newest - 5 + dice.below(record.layout.kept + 10)
        switch dice.below(8) {
        case 0:
            let next = plain.newest + dice.below(dice.below(20) == 0 ? 400 : 12)
            record.roll(to: record.layout.start(of: next))
            plain.roll(to: next)
        case 1:
            let back = min(more, plain.units[bucket] ?? 0)
            record.giveBack(more, in: bucket)
            if back > 0 { plain.units[bucket, default: 0] -= back }
        case 2 where record.hasRoom(for: more, of: bound):
            record.charge(more)
            plain.units[plain.newest, default: 0] += more
        case 2: break
        default:
            let first = plain.newest + dice.below(10)
            let last = first + dice.below(3 * record.layout.kept)
            guard let turn = record.turn(more, of: bound, from: first, by: last), record.canCount(in: turn) else {
                return
            }
            record.change(turn, to: record.count(in: turn) + more)
            plain.units[turn, default: 0] += more
        }
    }

    @Test("turns, room and waits are those of a plain list", arguments: windows)
    func likeList(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        var found = (turns: 0, refusals: 0, holes: 0)
        for seed in 0..<6 {
            var dice = Dice(seed: seed)
            let bound = [1, 3, 20, 60, 1_000][dice.below(5)]
            var record = Record(layout, at: epoch, birth: 1)
            var plain = Plain(layout: layout, newest: record.newest)
            for _ in 0..<100 {
                Self.step(&record, &plain, of: bound, &dice)
                let (newest, kept) = (plain.newest, layout.kept)
                #expect(record.newest == newest && record.total == plain.sum(at: newest))
                #expect(record.future.allSatisfy { plain.units[$0.number] == $0.units && $0.number > newest })
                let most = (newest..<newest + 3 * kept).map { plain.sum(at: $0) }.max() ?? 0
                #expect(most <= bound, "no bucket counts more than N")
                let more = 1 + dice.below(bound)
                #expect(record.hasRoom(for: more, of: bound) == plain.fits(more, in: newest, of: bound))
                let (first, last) = (newest + dice.below(20) - 5, newest + dice.below(3 * kept))
                let turn = record.turn(more, of: bound, from: first, by: last)
                #expect(turn == plain.turn(more, of: bound, from: first, by: last))
                if let turn { found.turns += turn > newest ? 1 : 0 } else { found.refusals += 1 }
                if let turn, let end = record.future.last?.number, turn < end { found.holes += 1 }
                let wait = record.retryAfter(more, of: bound, at: layout.start(of: newest))
                let free = plain.turn(more, of: bound, from: newest, by: newest + 10 * kept) ?? -1
                #expect(wait == layout.start(of: free) - layout.start(of: newest))
            }
        }
        #expect(found.turns > 50 && found.refusals > 50 && found.holes > 5)
    }

    @Test("rolling a record on keeps what counts in each later bucket", arguments: windows)
    func rolls(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<20 {
            var dice = Dice(seed: seed)
            let (record, plain) = Self.random(&dice, layout, of: 60)
            for distance in 0..<2 * layout.kept {
                var later = record
                later.roll(to: layout.start(of: record.newest + distance))
                #expect(later.total == plain.sum(at: record.newest + distance))
            }
        }
    }

    @Test("a record that forgets turns when their bucket comes is found in the first few", arguments: windows)
    func forgotten(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        let found = (0..<3)
            .contains { seed in
                var dice = Dice(seed: seed)
                let (record, plain) = Self.random(&dice, layout, of: 60)
                return (0..<2 * layout.kept)
                    .contains { distance in
                        var later = record
                        later.future.removeAll { $0.number <= record.newest + distance }
                        later.roll(to: layout.start(of: record.newest + distance))
                        return later.total != plain.sum(at: record.newest + distance)
                    }
            }
        #expect(found)
    }

    @Test("what is written is read, a record without turns has the bytes that it always had", arguments: windows)
    func encoding(window: Int) throws {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<40 {
            var dice = Dice(seed: seed)
            var (record, _) = Self.random(&dice, layout, of: [1, 60, 100_000, 1 << 40][dice.below(4)])
            let bytes = record.encoded()
            #expect(bytes.first == (record.future.isEmpty ? 1 : 4) && bytes.count <= Record.encodedBound)
            #expect(try Record(bytes, layout) == record)
            for length in 0..<bytes.count {
                #expect(throws: Record.ReadError.self) { try Record([UInt8](bytes.prefix(length)), layout) }
            }
            var changed = bytes
            changed[dice.below(changed.count)] ^= UInt8(1 << dice.below(8))
            if let other = try? Record(changed, layout) { #expect(try Record(other.encoded(), layout) == other) }
            record.restore(Self.random(&dice, layout, of: 1 << 50).0, version: 3)
            #expect(try Record(record.encoded(), layout) == record)
            record.future = []
            record.origin = nil
            #expect(record.encoded().first == 1)
        }
    }

    @Test("the turns of a record have a bound of bytes, also with the largest numbers and an origin")
    func bounded() throws {
        let layout = BucketLayout(windowSeconds: 1)
        var record = Record(layout, at: epoch, birth: 1)
        for _ in 0..<layout.kept {
            record.charge(1 << 54)
            record.roll(to: layout.end(of: record.newest))
        }
        for bucket in stride(from: record.newest + 1, to: record.newest + 40_000, by: 150)
        where record.canCount(in: bucket) { record.change(bucket, to: 1 << 54) }
        #expect(record.future.count > 50)
        let last = record.future.last?.number ?? 0
        #expect(record.canCount(in: last) && !record.canCount(in: last + 1))
        record.restore(record, version: 2)
        let bytes = record.encoded()
        #expect(bytes.count <= Record.encodedBound)
        #expect(try Record(bytes, layout) == record)
    }

    @Test("copies of a record with turns are joined, restored, added and moved bucket by bucket", arguments: windows)
    func merged(window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<40 {
            var dice = Dice(seed: seed)
            let (one, first) = Self.random(&dice, layout, of: 60)
            let (other, second) = Self.random(&dice, layout, of: 60)
            let newest = max(one.newest, other.newest)
            let numbers = newest - layout.kept + 1..<newest + 4 * layout.kept
            var (joined, added, restored) = (one, one, one)
            joined.join(other)
            added.add(other)
            restored.restore(other, version: 2)
            var back = one
            back.moveBack(to: layout.start(of: one.newest - 40))
            for number in numbers {
                let (here, there) = (first.units[number] ?? 0, second.units[number] ?? 0)
                #expect(joined.count(in: number) == max(here, there))
                #expect(added.count(in: number) == here + there)
                #expect(restored.count(in: number) == here + there)
            }
            for number in back.oldest..<back.newest + 200 {
                #expect(back.count(in: number) == one.count(in: number + 40))
            }
            var again = joined
            again.join(other)
            #expect(again.future == joined.future)
            // A newer copy takes the place of the older one.
            var newer = other
            newer.changeFuture(newest + 7, to: 9)
            let before = restored.count(in: newest + 7) - other.count(in: newest + 7)
            restored.restore(newer, version: 3)
            #expect(restored.count(in: newest + 7) == before + 9)
        }
    }
}
