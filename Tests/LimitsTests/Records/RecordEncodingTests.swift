import Limits
import Testing

@Suite struct RecordEncodingTests {
    @Test("what is written is read", arguments: [1, 30, 60, 3_600, 31_622_400])
    func identity(window: Int) throws {
        let grid = Grid(windowSeconds: window)
        for seed in 0..<100 {
            var dice = Dice(seed: seed)
            let most = [2, 127, 128, 100_000, 1 << 40, 1 << 55][dice.below(6)]
            let record = Record(random: &dice, grid, near: epoch, most: most)
            let bytes = record.encoded()
            #expect(try Record(bytes, grid) == record)
            #expect(bytes.count <= Record.encodedBound)
        }
    }

    @Test("cut, lengthened or changed values are refused or read, never worse")
    func robust() throws {
        let grid = Grid(windowSeconds: 60)
        var dice = Dice(seed: 7)
        for _ in 0..<40 {
            let bytes = Record(random: &dice, grid, near: epoch, most: 1 << 20).encoded()
            for length in 0..<bytes.count {
                #expect(throws: Record.Flaw.self) { try Record([UInt8](bytes.prefix(length)), grid) }
            }
            #expect(throws: Record.Flaw.counts) { try Record(bytes + [0], grid) }
            #expect(throws: Record.Flaw.format) { try Record([2] + bytes.dropFirst(), grid) }
            var changed = bytes
            changed[dice.below(changed.count)] ^= UInt8(1 << dice.below(8))
            if let record = try? Record(changed, grid) { #expect(try Record(record.encoded(), grid) == record) }
        }
        for length in 0..<2_000 {
            let noise = [1] + (0..<length % 300).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
            if let record = try? Record(noise, grid) { #expect(try Record(record.encoded(), grid) == record) }
        }
        #expect(throws: Record.Flaw.length) { try Record([UInt8](repeating: 1, count: 4_097), grid) }
        #expect(throws: (any Error).self) { try Record([UInt8](repeating: 255, count: 300), grid) }
    }

    @Test("numbers that no record has are refused")
    func impossible() {
        let grid = Grid(windowSeconds: 60)
        let (birth, noLease) = ([UInt8](repeating: 0, count: 8), [UInt8(0)])
        let ones = [UInt8](repeating: 1, count: grid.kept)
        #expect(throws: Record.Flaw.counts) { try Record([1, 0] + birth + noLease + ones, grid) }
        #expect(throws: Record.Flaw.number) {
            try Record([1] + [UInt8](repeating: 255, count: 20) + [1] + birth + noLease + ones, grid)
        }
        // Seven full digits and more: 2^56 - 1, which is within the bound of numbers but not of counts.
        let many = [UInt8](repeating: 255, count: 7) + [127]
        let late: [UInt8] = [1, 0x88, 0]
        #expect(throws: Record.Flaw.counts) {
            try Record(late + birth + noLease + ones.flatMap { _ in many }, grid)
        }
        #expect(throws: Record.Flaw.lease) { try Record(late + birth + many + ones, grid) }
    }

    @Test("a time of any clock is in a bucket", arguments: [Int.min, -1, 0, .max], [1, 60, 31_622_400])
    func anyTime(time: Int, window: Int) {
        let grid = Grid(windowSeconds: window)
        let bucket = grid.bucket(at: time)
        #expect(bucket >= 0 && grid.end(of: bucket) > grid.start(of: bucket))
    }

    @Test("a record of another number of buckets is refused")
    func otherGrid() {
        let bytes = Record(Grid(windowSeconds: 60), at: epoch).encoded()
        #expect(throws: Record.Flaw.counts) { try Record(bytes, Grid(windowSeconds: 59)) }
    }

    @Test("sizes: 20 to 150 bytes, 270 with large buckets, under 1 KB for usd")
    func sizes() {
        for (window, most, bound) in [(60, 127, 150), (1, 127, 150), (60, 16_383, 270), (86_400, 1 << 55, 1_023)] {
            let grid = Grid(windowSeconds: window)
            var record = Record(grid, at: epoch, birth: .max)
            #expect((15...20).contains(record.encoded().count))
            for bucket in 0..<grid.kept {
                record.roll(to: grid.start(of: grid.bucket(at: epoch) + bucket))
                record.charge(most)
            }
            #expect(record.encoded().count <= bound)
            for bucket in stride(from: record.oldest, through: record.newest, by: 2) {
                record.giveBack(most, in: bucket)
            }
            #expect(record.encoded().count <= bound)
        }
    }
}
