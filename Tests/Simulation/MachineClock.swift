import Limits

/// The clocks of one machine against true time. The wall clock is ahead by an amount that drifts from one value to
/// another over the run. It may also be set, and both clocks stop while the machine sleeps.
final class MachineClock {
    /// The amounts that are added to the clocks from a time on.
    private struct Shift {
        let time: Int
        let wall: Int
        let steady: Int
    }

    let start: Int
    let end: Int
    let aheadAtStart: Int
    let aheadAtEnd: Int
    /// The reading of the steady clock at the start.
    let steadyAtStart: Int
    private var shifts: [Shift]

    /// - Parameter offset: the error of the wall clock apart from its drift, until it is set.
    init(start: Int, end: Int, aheadAtStart: Int, aheadAtEnd: Int, steadyAtStart: Int, offset: Int = 0) {
        self.start = start
        self.end = end
        self.aheadAtStart = aheadAtStart
        self.aheadAtEnd = aheadAtEnd
        self.steadyAtStart = steadyAtStart
        shifts = [Shift(time: start, wall: offset, steady: 0)]
    }

    private func shift(at time: Int) -> Shift { shifts.last { $0.time <= time } ?? shifts[0] }

    /// Returns the error of the wall clock apart from its drift.
    func offset(at time: Int) -> Int { shift(at: time).wall }

    func wall(at time: Int) -> Int {
        let part = Double(time - start) / Double(max(1, end - start))
        let drift = aheadAtStart + Int(Double(aheadAtEnd - aheadAtStart) * min(1, max(0, part)))
        return time + drift + shift(at: time).wall
    }

    func steady(at time: Int) -> Int { steadyAtStart + time - start + shift(at: time).steady }

    func reading(at time: Int) -> ClockReading { ClockReading(wall: wall(at: time), steady: steady(at: time)) }

    /// Returns the true time at which the steady clock shows `steady`, if the machine does not sleep from now on.
    func time(ofSteady steady: Int, at now: Int) -> Int { steady - steadyAtStart + start - shift(at: now).steady }

    /// Returns the first true time, not before `earliest`, at which the wall clock shows this or more.
    func time(ofWall wall: Int, notBefore earliest: Int) -> Int {
        var time = earliest
        while self.wall(at: time) < wall { time += max(1, (wall - self.wall(at: time)) * 9 / 10) }
        return time
    }

    // MARK: Events

    /// Sets the wall clock, so that its error is `offset`.
    func set(offset: Int, at time: Int) {
        shifts.append(Shift(time: time, wall: offset, steady: shift(at: time).steady))
    }

    /// Records that the machine has slept until now. Its wall clock is set right before anything runs.
    func slept(_ microseconds: Int, until time: Int) {
        let last = shift(at: time)
        shifts.append(Shift(time: time, wall: last.wall, steady: last.steady - microseconds))
    }

    /// Returns the smallest and the largest error of the wall clock, apart from its drift, in a span of time.
    func offsets(from first: Int, to last: Int) -> ClosedRange<Int> {
        var range = offset(at: first)...offset(at: first)
        for shift in shifts where shift.time > first && shift.time <= last {
            range = min(range.lowerBound, shift.wall)...max(range.upperBound, shift.wall)
        }
        return range
    }
}
