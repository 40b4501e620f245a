import Testing

@testable import Limits

@Suite struct SlotRecordTests {
    static let span = 30_000_000

    private func entry(_ instance: UInt64, _ held: Int, endsIn microseconds: Int, clock: Int? = nil) -> SlotRecord.Entry
    {
        SlotRecord.Entry(
            instance: instance,
            held: held,
            endMilliseconds: (epoch + microseconds) / 1_000,
            clockMilliseconds: clock
        )
    }

    @Test("what is written is read again, clocks ahead and behind too")
    func roundTrip() throws {
        var record = SlotRecord()
        for (index, clock) in [nil, 0, 1, -1, 3_600_000, -86_400_000].enumerated() {
            let instance = UInt64.max - UInt64(index)
            record.put(
                entry(instance, 1 + index * 1_000, endsIn: Self.span, clock: clock),
                at: epoch,
                slotMicroseconds: Self.span
            )
        }
        #expect(record.entries.count == 6)
        #expect(try SlotRecord(record.encoded()) == record)
        #expect(record.encoded().first == 2, "a record for which nobody waits has the bytes that it always had")
        for (instance, held) in [(UInt64(1), 3), (2, 0)] {
            var waiting = entry(instance, held, endsIn: Self.span, clock: -7)
            waiting.waitingSince = epoch / 1_000 - held
            record.put(waiting, at: epoch, slotMicroseconds: Self.span)
        }
        let bytes = record.encoded()
        #expect(bytes.first == 5 && record.entries.count == 8)
        #expect(try SlotRecord(bytes) == record)
        for length in bytes.indices {
            #expect(throws: Record.ReadError.self) { try SlotRecord(Array(bytes[..<length])) }
        }
    }

    @Test("an entry counts until its end, and not if it ends later than any instance could say")
    func ends() {
        var record = SlotRecord()
        record.put(entry(1, 5, endsIn: Self.span), at: epoch, slotMicroseconds: Self.span)
        record.put(entry(2, 7, endsIn: 90_000_000), at: epoch, slotMicroseconds: Self.span)
        record.put(entry(3, 2, endsIn: 10_000_000), at: epoch, slotMicroseconds: Self.span)
        func held(_ after: Int) -> Int { record.held(besides: 3, at: epoch + after, slotMicroseconds: Self.span) }
        #expect(held(0) == 5)
        #expect(held(29_999_000) == 5)
        #expect(held(30_000_000) == 7, "by now the clock that wrote 2 may be one of ours")
        #expect(record.held(besides: 1, at: epoch, slotMicroseconds: Self.span) == 2)
    }

    @Test("an instance has one entry; without slots none; those that ended long ago are dropped")
    func puts() {
        var record = SlotRecord()
        record.put(entry(1, 5, endsIn: Self.span), at: epoch, slotMicroseconds: Self.span)
        record.put(entry(1, 6, endsIn: Self.span), at: epoch, slotMicroseconds: Self.span)
        #expect(record.entries.map(\.held) == [6])
        record.put(entry(2, 1, endsIn: 2 * Self.span + 1_000), at: epoch + 2 * Self.span, slotMicroseconds: Self.span)
        #expect(record.entries.map(\.instance) == [1, 2], "another clock may be behind")
        record.put(entry(2, 1, endsIn: 3 * Self.span), at: epoch + 2 * Self.span + 1_000, slotMicroseconds: Self.span)
        #expect(record.entries.map(\.instance) == [2])
        record.put(entry(2, 0, endsIn: 4 * Self.span), at: epoch + 3 * Self.span, slotMicroseconds: Self.span)
        #expect(record.entries.isEmpty)
    }

    @Test("broken values are refused, and never crash")
    func broken() throws {
        var record = SlotRecord()
        record.put(entry(1, 300, endsIn: Self.span, clock: -5), at: epoch, slotMicroseconds: Self.span)
        let good = record.encoded()
        for length in good.indices {
            #expect(throws: Record.ReadError.self) { try SlotRecord(Array(good[..<length])) }
        }
        #expect(throws: Record.ReadError.length) { try SlotRecord([UInt8](repeating: 2, count: 65_537)) }
        #expect(throws: Record.ReadError.counts) { try SlotRecord(good + [0]) }
        #expect(throws: Record.ReadError.format) { try SlotRecord([1] + good.dropFirst()) }
        var hostile = SlotRecord()
        hostile.put(entry(1, 1, endsIn: Self.span, clock: 1 << 46), at: epoch, slotMicroseconds: Self.span)
        #expect(throws: Record.ReadError.counts) { try SlotRecord(hostile.encoded()) }
        var dice = Dice(seed: 7)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...dice.below(3) { bytes[dice.below(bytes.count)] = UInt8(dice.below(256)) }
            _ = try? SlotRecord(bytes)
        }
    }

    @Test("a clock that is off by ages is not believed", arguments: [Int.max, .min + 1, 1 << 54, -(1 << 54)])
    func clockOfAges(milliseconds: Int) {
        var entry = SlotRecord.Entry(instance: 1, held: 1, endMilliseconds: 1, clockMilliseconds: milliseconds)
        #expect(entry.clockMicroseconds == nil)
        entry.clockMilliseconds = -3_600_000
        #expect(entry.clockMicroseconds == -3_600_000_000)
    }
}
