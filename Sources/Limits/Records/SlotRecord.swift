/// The slots of a limit of concurrent requests, with one entry for each instance that holds slots. The functions read
/// no clock, but get the time as an argument.
package struct SlotRecord: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        /// The random id that the instance drew at its start.
        package let instance: UInt64
        package var held: Int
        /// The end of the entry, in milliseconds since 1970. An entry that has ended does not count.
        package var endMilliseconds: Int
        /// The milliseconds by which the instance's corrected clock is ahead of the store's clock; nil if unknown.
        ///
        /// In the record of shares (see `shareRecordLimit`), this property instead contains a number derived from
        /// `STORE_SECRET`; nil without a secret.
        package var clockMilliseconds: Int?
        /// The time since which the first request of the instance waits for a slot, in milliseconds since 1970; 0 if none
        /// waits.
        package var waitingSince = 0

        /// The difference between the instance's and the store's clock in microseconds; nil if unknown or implausible.
        var clockMicroseconds: Int? { clockMilliseconds.flatMap { abs($0) < Self.clockBound ? $0 * 1_000 : nil } }

        /// The largest plausible difference between an instance's clock and the store's clock: a thousand years, in
        /// milliseconds.
        private static let clockBound = 31_557_600_000_000

        /// Whether the instance holds a slot, or waits for one.
        var isNeeded: Bool { held > 0 || waitingSince > 0 }
    }

    /// The first request that waits for a slot in one instance. The earliest one is the least.
    struct Waiter: Comparable, Sendable {
        /// In milliseconds since 1970.
        let since: Int
        let instance: UInt64

        static func < (one: Waiter, other: Waiter) -> Bool { (one.since, one.instance) < (other.since, other.instance) }
    }

    package private(set) var entries: [Entry] = []

    package func entry(of instance: UInt64) -> Entry? { entries.first { $0.instance == instance } }

    /// Returns the entries that have not ended at `time`. Ignores entries that end more than twice `slotMicroseconds`
    /// after `time`.
    package func living(at time: Int, slotMicroseconds: Int) -> [Entry] {
        let (now, latest) = (time / 1_000, (time + 2 * slotMicroseconds) / 1_000)
        return entries.filter { $0.endMilliseconds > now && $0.endMilliseconds <= latest }
    }

    /// Returns the number of slots that other instances hold.
    package func held(besides instance: UInt64, at time: Int, slotMicroseconds: Int) -> Int {
        living(at: time, slotMicroseconds: slotMicroseconds)
            .reduce(0) { $1.instance == instance ? $0 : min($0 + $1.held, Record.countBound) }
    }

    /// Returns the first waiting request of each other instance, as far as it came before that of this one.
    func waiters(before own: Waiter, at time: Int, slotMicroseconds: Int) -> [Waiter] {
        guard entries.contains(where: { $0.waitingSince > 0 }) else { return [] }
        return living(at: time, slotMicroseconds: slotMicroseconds)
            .filter { $0.waitingSince > 0 && $0.instance != own.instance }
            .map { Waiter(since: $0.waitingSince, instance: $0.instance) }
            .filter { $0 < own }
    }

    /// Replaces the earlier entry of the same instance, or removes it if the new entry is not needed. Also removes
    /// entries that ended long ago.
    package mutating func put(_ entry: Entry, at time: Int, slotMicroseconds: Int) {
        let longAgo = (time - slotMicroseconds) / 1_000
        entries.removeAll { $0.instance == entry.instance || $0.endMilliseconds < longAgo }
        if entry.isNeeded, entries.count < Self.entriesBound { entries.append(entry) }
    }

    /// The maximum number of instances that can share one limit.
    static let entriesBound = 1_024
}

extension SlotRecord {
    private static let format: UInt8 = 2
    /// The format of a record for which requests wait: each entry also has the time since which its instance waits.
    private static let waitingFormat: UInt8 = 5
    /// The latest accepted end of an entry, in milliseconds since 1970.
    private static let timeBound = 1 << 45
    package static let encodedBound = 65_536

    /// Encodes the format, the number of entries, and each entry.
    package func encoded() -> [UInt8] {
        let isWaitedFor = entries.contains { $0.waitingSince > 0 }
        var bytes = [isWaitedFor ? Self.waitingFormat : Self.format]
        bytes.reserveCapacity(4 + 24 * entries.count)
        Varint.write(entries.count, to: &bytes)
        for entry in entries {
            Varint.write(entry.instance, to: &bytes)
            Varint.write(entry.held, to: &bytes)
            Varint.write(entry.endMilliseconds, to: &bytes)
            let clock = entry.clockMilliseconds.map { 1 + ($0 < 0 ? -2 * $0 - 1 : 2 * $0) }
            Varint.write(clock ?? 0, to: &bytes)
            if isWaitedFor { Varint.write(entry.waitingSince, to: &bytes) }
        }
        return bytes
    }

    /// Decodes a record. Checks all of its bytes.
    package init(_ bytes: [UInt8]) throws(Record.ReadError) {
        guard bytes.count <= Self.encodedBound else { throw .length }
        var reader = Varint.Reader(rest: bytes[...])
        let format = reader.byte()
        guard format == Self.format || format == Self.waitingFormat else { throw .format }
        guard let count = reader.number(), count <= Self.entriesBound else { throw .number }
        for _ in 0..<count {
            guard let instance = reader.word(), let held = reader.number(), let end = reader.number(),
                let clock = reader.number(), held <= Record.countBound
            else { throw .counts }
            let zigzag = clock - 1
            guard end <= Self.timeBound, zigzag <= Self.timeBound else { throw .counts }
            var entry = Entry(
                instance: instance,
                held: held,
                endMilliseconds: end,
                clockMilliseconds: clock == 0 ? nil : zigzag % 2 == 0 ? zigzag / 2 : -(zigzag + 1) / 2
            )
            if format == Self.waitingFormat {
                guard let since = reader.number(), since <= Self.timeBound else { throw .counts }
                entry.waitingSince = since
            }
            entries.append(entry)
        }
        guard reader.rest.isEmpty else { throw .counts }
    }
}
