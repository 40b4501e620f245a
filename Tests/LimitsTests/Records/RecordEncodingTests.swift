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
