/// The slots of a concurrency limit that each instance holds: one entry an instance. Pure. An instance writes the
/// number that it holds, never a difference, so that a write that is repeated, lost or late does no harm.
package struct SlotRecord: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        /// Drawn by the instance at its start.
        package let instance: UInt64
        package var held: Int
        /// Milliseconds since 1970. Of one that has ended nothing counts.
        package var endMilliseconds: Int
        /// The difference by which the instance's clock is ahead of the store's, if it says so; in the record of claims a mark
        /// of its `STORE_SECRET`, if it has one.
        package var clockMilliseconds: Int?

        /// The difference of the clocks in microseconds; nil if it is unknown, or larger than clocks can differ.
        var clockMicroseconds: Int? {
            clockMilliseconds.flatMap { abs($0) < Self.clockBound ? $0 * 1_000 : nil }
        }

        /// A thousand years, in milliseconds.
        private static let clockBound = 31_557_600_000_000

        package init(instance: UInt64, held: Int, endMilliseconds: Int, clockMilliseconds: Int? = nil) {
            self.instance = instance
            self.held = held
            self.endMilliseconds = endMilliseconds
            self.clockMilliseconds = clockMilliseconds
        }
    }

    package private(set) var entries: [Entry] = []

    package init() {}

    package func entry(of instance: UInt64) -> Entry? { entries.first { $0.instance == instance } }

    /// Entries that count. One that ends later than its instance could have written it, `spanMicroseconds` being what
    /// it writes, comes from a clock that nobody believes.
    package func living(at time: Int, spanMicroseconds: Int) -> [Entry] {
        let (now, latest) = (time / 1_000, (time + 2 * spanMicroseconds) / 1_000)
        return entries.filter { $0.endMilliseconds > now && $0.endMilliseconds <= latest }
    }

    /// Slots that others hold.
    package func held(besides instance: UInt64, at time: Int, spanMicroseconds: Int) -> Int {
        living(at: time, spanMicroseconds: spanMicroseconds)
            .reduce(0) { $1.instance == instance ? $0 : min($0 + $1.held, Record.countBound) }
    }

    /// Puts one's own entry, or takes it away where nothing is held, and drops what ended long ago by all clocks.
    package mutating func put(_ entry: Entry, at time: Int, spanMicroseconds: Int) {
        let longAgo = (time - spanMicroseconds) / 1_000
        entries.removeAll { $0.instance == entry.instance || $0.endMilliseconds < longAgo }
        if entry.held > 0, entries.count < Self.entriesBound { entries.append(entry) }
    }

    /// More instances than that do not share one limit.
    static let entriesBound = 1_024
}

extension SlotRecord {
    private static let format: UInt8 = 2
    /// The latest end that is believed, in milliseconds since 1970, and twice the largest difference of clocks.
    private static let timeBound = 1 << 45
    package static let encodedBound = 65_536

    /// Format, number of entries, then each: instance, slots, end, clock (0: unknown, else 1 + zigzag).
    package func encoded() -> [UInt8] {
        var bytes = [Self.format]
        bytes.reserveCapacity(4 + 24 * entries.count)
        Varint.write(entries.count, to: &bytes)
        for entry in entries {
            Varint.write(entry.instance, to: &bytes)
            Varint.write(entry.held, to: &bytes)
            Varint.write(entry.endMilliseconds, to: &bytes)
            let clock = entry.clockMilliseconds.map { 1 + ($0 < 0 ? -2 * $0 - 1 : 2 * $0) }
            Varint.write(clock ?? 0, to: &bytes)
        }
        return bytes
    }

    /// Checks the whole value.
    package init(_ bytes: [UInt8]) throws(Record.Flaw) {
        guard bytes.count <= Self.encodedBound else { throw .length }
        var reader = Varint.Reader(rest: bytes[...])
        guard reader.byte() == Self.format else { throw .format }
        guard let count = reader.number(), count <= Self.entriesBound else { throw .number }
        for _ in 0..<count {
            guard let instance = reader.word(), let held = reader.number(), let end = reader.number(),
                let clock = reader.number(), held <= Record.countBound
            else { throw .counts }
            let zigzag = clock - 1
            guard end <= Self.timeBound, zigzag <= Self.timeBound else { throw .counts }
            entries.append(
                Entry(
                    instance: instance,
                    held: held,
                    endMilliseconds: end,
                    clockMilliseconds: clock == 0 ? nil : zigzag % 2 == 0 ? zigzag / 2 : -(zigzag + 1) / 2
                )
            )
        }
        guard reader.rest.isEmpty else { throw .counts }
    }
}
