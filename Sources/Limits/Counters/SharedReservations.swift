/// The units of a budget that running requests of this instance hold.
///
/// The record has the sum of all instances as its lease. A sum ends after half a minute, or with its bucket; each instance
/// then adds its units to a new sum, which has none of a killed instance. Until all have done so, the units of the former
/// sum are taken for those of the others.
struct SharedReservations {
    /// The units of other instances in a sum, and its end in wall-clock microseconds.
    private typealias OtherUnits = (units: Int, end: Int)

    /// The time after which a sum ends, in microseconds.
    private static let longestMicroseconds = 30_000_000
    /// The time for which the sum may have more units of this instance than it holds, in microseconds: another limit may
    /// still have to count the request.
    private static let lateMicroseconds = 1_000_000
    /// The time in which all instances add their units to a new sum, in microseconds.
    private static let renewalMicroseconds = 2_000_000
    /// The time by which the clocks of two instances may differ, in microseconds.
    private static let clocksMicroseconds = 5_000_000

    /// The units that this instance has in the sum.
    private var units = 0
    /// The end of the sum with these units, in wall-clock microseconds.
    private var end = 0
    /// The wall-clock time from which units that this instance does not hold must leave the sum, in microseconds.
    private var lowersAt = 0
    /// The last sum that this instance has seen, and the one before it if that had ended.
    private var (seen, former): (OtherUnits, OtherUnits) = ((0, 0), (0, 0))

    private func part(in record: borrowing Record) -> Int { record.leaseEnd == end ? units : 0 }

    /// Returns the units that other instances hold, as far as the record says.
    func units(besidesIn record: borrowing Record, at time: Int) -> Int {
        // After a reset, the sum of a later bucket can be older than its end says.
        if record.leaseEnd > time + Self.longestMicroseconds + Self.clocksMicroseconds { return 0 }
        return max(0, record.leased(at: time) - part(in: record))
    }

    /// Returns the units that other instances hold, as far as the record and the sums before it say.
    func knownUnits(besidesIn record: borrowing Record, at time: Int) -> Int {
        let ended = { (sum: OtherUnits) in time < sum.end + Self.renewalMicroseconds ? sum.units : 0 }
        return max(units(besidesIn: record, at: time), ended(former), time >= seen.end ? ended(seen) : 0)
    }

    /// Handles a record that was read or written.
    mutating func saw(_ record: borrowing Record, at time: Int) {
        // The clock of another instance may be ahead.
        let isEnding = time >= seen.end - Self.renewalMicroseconds
        if isEnding, record.lease.units == 0 { return }
        if isEnding, record.leaseEnd > seen.end { former = seen }
        seen = (max(0, record.lease.units - part(in: record)), record.leaseEnd)
    }

    /// Returns whether the record must be written because it has other units of this instance than those that it holds.
    func isOutdated(_ held: Int, in record: borrowing Record, at time: Int) -> Bool {
        let told = time < end ? part(in: record) : 0
        return held > told || held < units && time >= lowersAt
    }

    /// Returns the wall-clock time in microseconds at which the record must be written next; nil if it need not.
    func dueTime(_ held: Int) -> Int? {
        held < units ? lowersAt : units > 0 ? end : nil
    }

    /// Sets the part of this instance in the record.
    mutating func write(_ held: Int, to record: inout Record, at time: Int) {
        let isOpen = record.leased(at: time) > 0
        guard isOpen || held > 0 else {
            units = 0
            return
        }
        let others = units(besidesIn: record, at: time)
        let end = isOpen ? record.leaseEnd : time + Self.longestMicroseconds
        record.setLease(others + held, until: min(end, record.layout.end(of: record.newest)))
        (units, self.end, lowersAt) = (held, record.leaseEnd, time + Self.lateMicroseconds)
    }

    /// Records that this instance holds fewer units, as a request has ended.
    mutating func release() { lowersAt = 0 }
}
