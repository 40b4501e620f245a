import Shared

/// The clocks of one machine against true time. The wall clock is ahead by an amount that drifts from one value to
/// another over the run.
struct MachineClock {
    let start: Int
    let end: Int
    let aheadAtStart: Int
    let aheadAtEnd: Int
    /// The steady clock at the start.
    let steadyAtStart: Int

    func wall(at time: Int) -> Int {
        let part = Double(time - start) / Double(max(1, end - start))
        return time + aheadAtStart + Int(Double(aheadAtEnd - aheadAtStart) * min(1, max(0, part)))
    }

    func steady(at time: Int) -> Int { steadyAtStart + time - start }

    func moment(at time: Int) -> Moment { Moment(wall: wall(at: time), steady: steady(at: time)) }

    func time(ofSteady steady: Int) -> Int { steady - steadyAtStart + start }

    /// The first time, not before `earliest`, at which the wall clock shows this or more.
    func time(ofWall wall: Int, notBefore earliest: Int) -> Int {
        var time = earliest
        while self.wall(at: time) < wall { time += max(1, (wall - self.wall(at: time)) * 9 / 10) }
        return time
    }
}
