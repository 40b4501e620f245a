import Limits
import Support

/// The network between instances and servers. Every call takes time both ways, and some are lost, late or carried out
/// twice.
final class Network {
    struct Weather {
        /// The duration of one way, in microseconds.
        var delay: ClosedRange<Int>
        /// The calls in a thousand whose response is late, though in time.
        var slowAnswers = 0
        /// The duration of a call with a late response, in microseconds.
        var slowness = 0...0
        /// The number of slower calls, in a thousand, whose response is even later but in time.
        var slowestAnswers = 0
        var slowestness = 0...0
        /// The calls in a thousand whose response comes after the instance has given up.
        var overdueAnswers = 0
        /// The calls in a thousand that never arrive.
        var lostCalls = 0
        /// The calls in a thousand that are carried out, but whose response is lost.
        var lostAnswers = 0
        /// The writes in a thousand that are carried out, but whose response is lost.
        var lostWriteAnswers = 0
        /// The calls in a thousand whose connection breaks, before or after they are carried out.
        var resets = 0
        /// The calls in a thousand that arrive after the instance has given up.
        var late = 0
        /// The calls in a thousand that are carried out twice.
        var repeats = 0
        /// The calls in a thousand that return only after seconds, as if a name were looked up.
        var hangs = 0

        /// The longest duration of a call whose response is in time, in microseconds.
        var longestRoundTrip: Int {
            let slowest = slowestAnswers > 0 ? slowestness.upperBound : 0
            return 2 * delay.upperBound + max(slowest, slowAnswers > 0 ? slowness.upperBound : 0)
        }
    }

    /// The pairs of instance and server that do not reach each other before a time.
    private var cuts: [(instance: Int, server: Int, until: Int)] = []
    /// The additional delay of one way, by instance.
    var detours: [Int: Int] = [:]
    private let timeline: Timeline
    private let timeoutMicroseconds: Int
    var weather: Weather
    private var dice: Seeded
    private(set) var calls = 0

    init(_ timeline: Timeline, _ weather: Weather, timeoutMicroseconds: Int, _ dice: Seeded) {
        self.timeline = timeline
        self.weather = weather
        self.timeoutMicroseconds = timeoutMicroseconds
        self.dice = dice
    }

    func cut(instance: Int, server: Int, until time: Int) { cuts.append((instance, server, time)) }

    private func isCut(_ instance: Int, _ server: Int) -> Bool {
        cuts.contains { $0.instance == instance && $0.server == server && $0.until > timeline.now }
    }

    private func happens(_ perThousand: Int) -> Bool { perThousand > 0 && dice.below(1_000) < perThousand }

    private func delay(_ instance: Int) -> Int {
        Int.random(in: weather.delay, using: &dice) + (detours[instance] ?? 0)
    }

    /// Returns the delay of a response on its way back.
    private func delayBack(_ instance: Int) -> Int {
        if happens(weather.overdueAnswers) { return timeoutMicroseconds * 6 / 5 + dice.below(timeoutMicroseconds) }
        if happens(weather.slowestAnswers) {
            return delay(instance) + Int.random(in: weather.slowestness, using: &dice)
        }
        return delay(instance) + (happens(weather.slowAnswers) ? Int.random(in: weather.slowness, using: &dice) : 0)
    }

    /// Carries out a call.
    ///
    /// - Parameters:
    ///   - work: the work at the server.
    ///   - end: called once with the result that the instance sees, and the time at which the work was done.
    func send<Reply>(
        from instance: Int,
        to serverIndex: Int,
        _ server: SimulatedServer,
        isWrite: Bool = false,
        _ work: @escaping () throws(StoreFailure) -> Reply,
        _ end: @escaping (Result<Reply, StoreFailure>, _ doneAt: Int) -> Void
    ) {
        calls += 1
        var isEnded = false
        let finish: (Result<Reply, StoreFailure>, Int) -> Void = { result, doneAt in
            if isEnded { return }
            isEnded = true
            end(result, doneAt)
        }
        let isHung = happens(weather.hangs)
        // A call waits for its server several times, each wait being bounded.
        var patience = timeoutMicroseconds + dice.below(1 + timeoutMicroseconds / 5)
        if isHung { patience = timeoutMicroseconds * (3 + dice.below(10)) }
        timeline.at(timeline.now + patience) { finish(.failure(StoreFailure(reason: "timeout")), self.timeline.now) }
        if isHung || isCut(instance, serverIndex) || happens(weather.lostCalls) { return }
        let isLate = happens(weather.late)
        let travel = isLate ? timeoutMicroseconds / 2 + dice.below(2 * timeoutMicroseconds) : delay(instance)
        timeline.at(timeline.now + travel) { self.arrive(instance, serverIndex, server, isWrite, work, finish) }
    }

    private func arrive<Reply>(
        _ instance: Int,
        _ serverIndex: Int,
        _ server: SimulatedServer,
        _ isWrite: Bool,
        _ work: @escaping () throws(StoreFailure) -> Reply,
        _ finish: @escaping (Result<Reply, StoreFailure>, Int) -> Void
    ) {
        if isCut(instance, serverIndex) { return }
        if server.isUp, server.hangsUntil > timeline.now {
            timeline.at(server.hangsUntil + dice.below(2_000)) {
                self.arrive(instance, serverIndex, server, isWrite, work, finish)
            }
            return
        }
        let doneAt = timeline.now
        let isReset = happens(weather.resets)
        if isReset, dice.below(2) == 0 {
            timeline.at(doneAt + delay(instance)) { finish(.failure(StoreFailure(reason: "reset")), doneAt) }
            return
        }
        let result: Result<Reply, StoreFailure>
        do throws(StoreFailure) {
            result = .success(try work())
        } catch {
            result = .failure(error)
        }
        if happens(weather.repeats) {
            // The result of the second execution is lost.
            timeline.at(doneAt + dice.below(1_000)) { _ = try? work() }
        }
        if isWrite, happens(weather.lostWriteAnswers) { return }
        if happens(weather.lostAnswers) || isCut(instance, serverIndex) { return }
        let seen = isReset ? .failure(StoreFailure(reason: "reset")) : result
        timeline.at(doneAt + delayBack(instance)) { finish(seen, doneAt) }
    }
}
