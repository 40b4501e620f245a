import Testing

@testable import Limits

/// Returns a number of seconds in microseconds.
private func seconds(_ count: Double) -> Int { Int(count * 1_000_000) }

@Suite struct ClockWatchTests {
    /// A machine with its clock, and the store's clock.
    private struct Machine {
        var watch = ClockWatch()
        var steady = seconds(1_000)
        var wall: Int
        var store = epoch

        init(ahead: Double = 0) { wall = epoch + seconds(ahead) }

        mutating func pass(_ span: Double) {
            steady += seconds(span)
            wall += seconds(span)
            store += seconds(span)
        }

        /// Reads the clock. Returns whether the wall clock was found to be set.
        @discardableResult mutating func look() -> Bool { watch.read(ClockReading(wall: wall, steady: steady)).isSet }

        mutating func time() -> Int { watch.read(ClockReading(wall: wall, steady: steady)).reading.wall }

        mutating func measure(took: Double = 0) {
            let now = watch.read(ClockReading(wall: wall, steady: steady)).reading
            // memcached's seconds are late by three quarters on average.
            watch.measured(storeSeconds: (store - 750_000) / 1_000_000, took: seconds(took), at: now)
        }

        mutating func judge(_ others: [Double], isAlone: Bool = false) {
            let now = watch.read(ClockReading(wall: wall, steady: steady)).reading
            watch.check(others.map(seconds), isAlone: isAlone, at: now)
        }

        /// Returns the seconds by which the corrected time is ahead of the store's.
        mutating func lead() -> Double { Double(time() - store) / 1_000_000 }
    }

    @Test("nothing is counted before the store and the others were asked")
    func start() {
        var machine = Machine(ahead: 20)
        #expect(machine.watch.isUnsure && !machine.watch.isMeasured)
        machine.measure()
        #expect(machine.watch.isUnsure && machine.watch.isMeasured)
        machine.judge([])
        #expect(!machine.watch.isUnsure)
        let lead = machine.lead()
        #expect(abs(lead) <= 1, "alone it goes by the store")
    }

    @Test("at the start the median of all counts, wherever the store's clock is")
    func startsAmongOthers() {
        var machine = Machine(ahead: 100)
        machine.measure()
        machine.judge([100, 100.4])
        #expect(machine.watch.correction == 0)
        var other = Machine(ahead: -20)
        other.measure()
        other.judge([0, 0.2])
        let lead = other.lead()
        #expect(abs(lead) <= 1.5)
    }

    @Test("a clock that is set is not followed, and the store decides", arguments: [10.0, -10, 3_600, -3_600, 3.5])
    func step(by: Double) {
        var machine = Machine()
        machine.measure()
        machine.judge([0])
        machine.pass(5)
        machine.look()
        let before = machine.time()
        machine.wall += seconds(by)
        let isSeen = machine.look()
        #expect(isSeen && machine.watch.isUnsure)
        let held = machine.time()
        #expect(held == before)
        #expect(machine.watch.measureAt <= machine.steady)
        machine.measure()
        #expect(!machine.watch.isUnsure)
        let lead = machine.lead()
        #expect(abs(lead) <= 1.5)
        machine.wall -= seconds(by)
        let isSeenAgain = machine.look()
        #expect(isSeenAgain)
        machine.measure()
        #expect(machine.watch.correction == 0)
    }

    @Test("small steps are followed")
    func smallStep() {
        var machine = Machine()
        machine.measure()
        machine.judge([])
        machine.look()
        machine.wall += seconds(2.9)
        let isSeen = machine.look()
        #expect(!isSeen && !machine.watch.isUnsure)
        let lead = machine.lead()
        #expect(abs(lead - 2.9) < 0.001)
    }

    @Test("a machine that slept goes by its clock again as soon as the store agrees")
    func slept() {
        var machine = Machine()
        machine.measure()
        machine.judge([])
        machine.look()
        // The steady clock stops meanwhile.
        machine.wall += seconds(7_200)
        machine.store += seconds(7_200)
        let isSeen = machine.look()
        #expect(isSeen && machine.watch.isUnsure)
        machine.measure()
        #expect(machine.watch.correction == 0 && !machine.watch.isUnsure)
    }

    @Test("the store's clock may jump: instances stay with each other")
    func storeJumps() {
        var machine = Machine()
        machine.measure()
        machine.judge([0, 0])
        machine.pass(70)
        machine.store -= seconds(100)
        machine.measure()
        machine.judge([0, 0])
        #expect(machine.watch.correction == 0, "the others have not noticed yet")
        machine.pass(80)
        machine.measure()
        machine.judge([100, 100])
        #expect(machine.watch.correction == 0)
    }

    @Test("an old measurement is made anew before anything is corrected by it")
    func oldMeasurement() {
        var machine = Machine()
        machine.measure()
        machine.judge([0, 0])
        machine.pass(30)
        machine.judge([10, 10])
        #expect(machine.watch.correction == 0 && machine.watch.measureAt <= machine.steady)
        machine.measure()
        machine.judge([10, 10])
        #expect(abs(machine.watch.correction + seconds(10)) <= seconds(1.5))
    }

    @Test("a call that took long says nothing")
    func longCall() {
        var machine = Machine()
        machine.measure(took: 1.1)
        #expect(machine.watch.difference == nil && machine.watch.isUnsure)
        #expect(machine.watch.measureAt <= machine.steady)
    }

    @Test("it is measured often at the start, and while the clock is far off")
    func schedule() {
        var machine = Machine()
        var times: [Double] = []
        for _ in 0..<7 {
            machine.measure()
            machine.judge([])
            let wait = Double(machine.watch.measureAt - machine.steady) / 1_000_000
            machine.pass(wait)
            times.append(Double(machine.steady) / 1_000_000 - 1_000)
        }
        #expect(times == [0.5, 1, 2, 4, 8, 68, 128])
        machine.wall += seconds(60)
        machine.measure()
        #expect(machine.watch.measureAt - machine.steady == 100_000)
        machine.pass(11)
        machine.measure()
        #expect(machine.watch.measureAt - machine.steady == 1_000_000)
    }
}
