import Testing

@testable import Limits

@Suite struct RecordEncodingTests {
    @Test("what is written is read", arguments: [1, 30, 60, 3_600, 31_622_400])
    func identity(window: Int) throws {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<100 {
            var dice = Dice(seed: seed)
            let most = [2, 127, 128, 100_000, 1 << 40, 1 << 55][dice.below(6)]
            let record = Record(random: &dice, layout, near: epoch, most: most)
            let bytes = record.encoded()
            #expect(try Record(bytes, layout) == record)
            #expect(bytes.count <= Record.encodedBound)
        }
    }

    @Test("cut, lengthened or changed values are refused or read, never worse")
    func robust() throws {
        let layout = BucketLayout(windowSeconds: 60)
        var dice = Dice(seed: 7)
        for _ in 0..<40 {
            let bytes = Record(random: &dice, layout, near: epoch, most: 1 << 20).encoded()
            for length in 0..<bytes.count {
                #expect(throws: Record.ReadError.self) { try Record([UInt8](bytes.prefix(length)), layout) }
            }
            #expect(throws: Record.ReadError.counts) { try Record(bytes + [0], layout) }
            #expect(throws: Record.ReadError.format) { try Record([2] + bytes.dropFirst(), layout) }
            var changed = bytes
            changed[dice.below(changed.count)] ^= UInt8(1 << dice.below(8))
            if let record = try? Record(changed, layout) { #expect(try Record(record.encoded(), layout) == record) }
        }
        for length in 0..<2_000 {
            let noise = [1] + (0..<length % 300).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
            if let record = try? Record(noise, layout) { #expect(try Record(record.encoded(), layout) == record) }
        }
        #expect(throws: Record.ReadError.length) { try Record([UInt8](repeating: 1, count: 4_097), layout) }
        #expect(throws: (any Error).self) { try Record([UInt8](repeating: 255, count: 300), layout) }
    }

    @Test("a restored record is read with its origin, and refused if it is cut", arguments: [30, 60])
    func restored(window: Int) throws {
        let layout = BucketLayout(windowSeconds: window)
        for seed in 0..<40 {
            var dice = Dice(seed: seed)
            var record = Record(random: &dice, layout, near: epoch, most: 1 << 20)
            let copy = Record(random: &dice, layout, near: epoch, most: 1 << 20)
            let isChanged = record.restore(copy, version: UInt64(seed) + 1)
            #expect(isChanged && record.origin?.record.birth == copy.birth)
            let bytes = record.encoded()
            #expect(try Record(bytes, layout) == record)
            for length in 0..<bytes.count {
                #expect(throws: Record.ReadError.self) { try Record([UInt8](bytes.prefix(length)), layout) }
            }
            var changed = bytes
            changed[dice.below(changed.count)] ^= UInt8(1 << dice.below(8))
            if let record = try? Record(changed, layout) { #expect(try Record(record.encoded(), layout) == record) }
        }
    }

    @Test("numbers that no record has are refused")
    func impossible() {
        let layout = BucketLayout(windowSeconds: 60)
        let (birth, noLease) = ([UInt8](repeating: 0, count: 8), [UInt8(0)])
        let ones = [UInt8](repeating: 1, count: layout.kept)
        #expect(throws: Record.ReadError.counts) { try Record([1, 0] + birth + noLease + ones, layout) }
        #expect(throws: Record.ReadError.number) {
            try Record([1] + [UInt8](repeating: 255, count: 20) + [1] + birth + noLease + ones, layout)
        }
        #expect(throws: Record.ReadError.number) {
            try Record([1] + [UInt8](repeating: 255, count: 7) + [0] + birth + noLease + [128, 122], layout)
        }
        // Seven full digits and more: 2^56 - 1, which is within the bound of numbers but not of counts.
        let many = [UInt8](repeating: 255, count: 7) + [127]
        let late: [UInt8] = [1, 0x88, 0]
        #expect(throws: Record.ReadError.counts) {
            try Record(late + birth + noLease + ones.flatMap { _ in many }, layout)
        }
        #expect(throws: Record.ReadError.lease) { try Record(late + birth + many + ones, layout) }
    }

    @Test("a time of any clock is in a bucket", arguments: [Int.min, -1, 0, .max], [1, 60, 31_622_400])
    func anyTime(time: Int, window: Int) {
        let layout = BucketLayout(windowSeconds: window)
        let bucket = layout.bucket(at: time)
        #expect(bucket >= 0 && layout.end(of: bucket) > layout.start(of: bucket))
    }

    @Test("a record of another number of buckets is refused")
    func otherLayout() {
        let bytes = Record(BucketLayout(windowSeconds: 60), at: epoch).encoded()
        #expect(throws: Record.ReadError.counts) { try Record(bytes, BucketLayout(windowSeconds: 59)) }
    }

    @Test("sizes: 20 to 150 bytes, 270 with large buckets, under 1 KB for usd")
    func sizes() {
        for (window, most, bound) in [(60, 127, 150), (1, 127, 150), (60, 16_383, 270), (86_400, 1 << 55, 1_023)] {
            let layout = BucketLayout(windowSeconds: window)
            var record = Record(layout, at: epoch, birth: .max)
            #expect((15...20).contains(record.encoded().count))
            for bucket in 0..<layout.kept {
                record.roll(to: layout.start(of: layout.bucket(at: epoch) + bucket))
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
