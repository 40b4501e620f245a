/// The state of one limit during an outage of the store, for the rule `share`.
struct Outage {
    var epoch: Int
    /// Whether the record was read from the store after the outage began.
    var hasSeenStore = false
    private var copy: Record
    private var own: Record

    init(_ epoch: Int, _ copy: Record, at time: Int) {
        self.epoch = epoch
        self.copy = copy
        own = Record(copy.layout, at: time)
    }

    mutating func roll(to time: Int) {
        copy.roll(to: time)
        own.roll(to: time)
    }

    mutating func moveBack(to time: Int) {
        copy.moveBack(to: time)
        own.moveBack(to: time)
    }

    mutating func charge(_ units: Int, at time: Int) {
        roll(to: time)
        own.charge(units)
    }

    mutating func giveBack(_ units: Int, in bucket: Int) { own.giveBack(units, in: bucket) }

    func remaining(of bound: Int, by rule: OutageRule) -> Int { max(0, rule.part(of: bound - copy.peak) - own.total) }

    func hasRoom(for units: Int, of bound: Int, by rule: OutageRule) -> Bool {
        units <= rule.part(of: bound - copy.peak) - own.total
    }

    /// Returns the microseconds until this instance's share has room for the units; nil if they never fit.
    func retryAfter(_ units: Int, of bound: Int, by rule: OutageRule, at time: Int) -> Int? {
        guard units <= rule.part(of: bound) else { return nil }
        var later = self
        for bucket in max(0, copy.oldest)...(max(copy.newest, own.newest) + 1) {
            let free = copy.layout.start(of: bucket + copy.layout.kept)
            later.roll(to: free)
            if free > time, later.hasRoom(for: units, of: bound, by: rule) { return free - time }
        }
        return nil
    }
}
