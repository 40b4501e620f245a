import Support
import Testing

@testable import Limits

@Suite struct CounterFileTests {
    private static let minute = BucketLayout(windowSeconds: 60)

    private static func counter(
        _ number: UInt64,
        _ units: Int,
        at time: Int,
        _ layout: BucketLayout = minute
    ) -> SavedCounter {
        var record = Record(layout, at: time)
        record.charge(units)
        return SavedCounter(
            key: RecordKey(number, number &* 7),
            windowSeconds: layout.windowMicroseconds / 1_000_000,
            record: record.encoded()
        )
    }

    private static func file(_ count: Int = 3, behind: Int = 0) -> [UInt8] {
        CounterFile(behindMicroseconds: behind, (1...count).map { counter(UInt64($0), $0, at: epoch) }).encoded()
    }

    @Test("what was written is read")
    func roundTrip() throws {
        let read = try CounterFile(Self.file(300, behind: 5_000_000))
        #expect(read.behindMicroseconds == 5_000_000)
        var saved = try SavedCounters(read, at: epoch + 5_000_000)
        #expect(saved.counters.count == 300 && saved.movedBack == 0)
        #expect(saved.contains(RecordKey(7, 49), Limit(.total, Quota(1, per: .minute))))
        let taken = (0..<2).map { _ in saved.restore(RecordKey(7, 49), Limit(.total, Quota(1, per: .minute)))?.total }
        #expect(taken == [7, nil])
        #expect(try CounterFile(CounterFile(behindMicroseconds: 0, []).encoded()).counters.isEmpty)
    }

    @Test("a file that is cut or changed at any place is refused")
    func changed() {
        let file = Self.file()
        for length in file.indices {
            #expect(throws: CounterFile.ReadError.self) { try CounterFile(Array(file[..<length])) }
        }
        for offset in file.indices {
            var other = file
            other[offset] ^= 0x20
            #expect(throws: CounterFile.ReadError.self) { try CounterFile(other) }
        }
        #expect(throws: CounterFile.ReadError.length) { try CounterFile(file + [0]) }
    }

    @Test("each flaw is named")
    func flaws() {
        var version = Self.file()
        version[8] = 2
        #expect(throws: CounterFile.ReadError.version) { try CounterFile(version) }
        #expect(throws: CounterFile.ReadError.format) { try CounterFile(Array("relay".utf8)) }
        var checksum = Self.file()
        checksum[20] ^= 1
        #expect(throws: CounterFile.ReadError.checksum) { try CounterFile(checksum) }
        let bad = SavedCounter(key: RecordKey(1, 1), windowSeconds: 60, record: [9, 9])
        #expect(throws: CounterFile.ReadError.content) {
            try SavedCounters(CounterFile(CounterFile(behindMicroseconds: 0, [bad]).encoded()), at: epoch)
        }
        let short = SavedCounter(key: RecordKey(1, 1), windowSeconds: 1, record: [])
        #expect(throws: CounterFile.ReadError.content) {
            try CounterFile(CounterFile(behindMicroseconds: 0, [short]).encoded())
        }
    }

    @Test("random bytes behind a true head never trap", arguments: 0..<200)
    func random(seed: Int) {
        var dice = Seeded(UInt64(seed))
        let record = (0..<dice.below(60)).map { _ in UInt8(dice.below(256)) }
        let counter = SavedCounter(key: RecordKey(1, 1), windowSeconds: 60 + dice.below(1_000_000), record: record)
        let bytes = CounterFile(behindMicroseconds: dice.below(1 << 50), [counter]).encoded()
        _ = try? SavedCounters(CounterFile(bytes), at: dice.below(1 << 62))
    }

    @Test("counters older than their window are dropped, those ahead of the clock are moved back")
    func clocks() throws {
        let hour = BucketLayout(windowSeconds: 3_600)
        let counters = [
            Self.counter(1, 1, at: epoch - 70_000_000), Self.counter(2, 2, at: epoch - 70_000_000, hour),
            Self.counter(3, 3, at: epoch + 3_600_000_000, hour),
        ]
        var saved = try SavedCounters(CounterFile(behindMicroseconds: 0, counters), at: epoch)
        #expect(saved.counters.count == 2 && saved.movedBack == 1)
        #expect(!saved.contains(RecordKey(1, 7), Limit(.total, Quota(1, per: .minute))))
        let moved = saved.restore(RecordKey(3, 21), Limit(.total, Quota(1, per: .hour)))
        #expect(moved?.newest == hour.bucket(at: epoch) && moved?.total == 3)
    }

    @Test("a clock that was behind the machine's makes counters later, never earlier")
    func behind() throws {
        let file = CounterFile(
            behindMicroseconds: 1_800_000_000,
            [Self.counter(1, 3, at: epoch, BucketLayout(windowSeconds: 3_600))]
        )
        var saved = try SavedCounters(file, at: epoch + 1_800_000_000)
        let record = saved.restore(RecordKey(1, 7), Limit(.total, Quota(1, per: .hour)))
        #expect(record?.reset(at: epoch + 1_800_000_000) ?? 0 > 3_570_000_000)
        // Two readings of clocks that agree differ a little.
        #expect(CounterFile(behindMicroseconds: 99_999, []).behindMicroseconds == 0)
    }
}
