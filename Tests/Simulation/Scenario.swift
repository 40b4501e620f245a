import Support

@testable import Limits

/// The plan of one run, which follows from the seed.
struct Scenario {
    package enum Kind: String, CaseIterable, Sendable {
        /// Nothing fails. Callers always want more, come back exactly in time, or come too early.
        case saturated
        /// Nothing fails, and no caller wants more than nine tenths of its limit.
        case modest
        /// Many single requests on few records.
        case busy
        /// One instance's clock is a bucket ahead, and it sends requests when a window is nearly over.
        case fastAndIdle
        /// The use of units is known only after the request.
        case tokens
        /// Each request has several limits with different windows.
        case several
        /// Round trips take longer than a bucket, and up to longer than the timer.
        case slow
        /// Calls and responses are lost, late and repeated.
        case unanswered
        /// Instances stop for a while, die and are replaced.
        case stalls
        /// The store loses records.
        case forgetful
        /// Servers end, hang, or cannot be reached by one instance.
        case outage
        /// All faults at once.
        case everything
        /// Requests run at the same time, and instances die.
        case slots
        /// All instances lose the store together and divide what is left.
        case shared
        /// Responses come late, by up to the time-out. In some runs one in ten is even later.
        case late
        /// Responses come late, and no caller wants more than four tenths of its limit.
        case lateModest
        /// Processes do not run for a while, and then run timers before they read responses. Others are stopped between
        /// reading the time and using it.
        case starved
        /// Clocks are wrong from the start.
        case apart
        /// Clocks are set under load, one alone or all together.
        case stepped
        /// Machines sleep.
        case asleep
        /// Up to sixteen instances start one after another.
        case staggered

        /// Whether instances differ in their start or in the time that they believe.
        var isOfClocks: Bool {
            switch self {
            case .apart, .stepped, .asleep: true
            default: false
            }
        }
    }

    struct Incident {
        enum What {
            case flush(server: Int)
            case evict(subject: Int)
            /// Ends a server, which is empty when it is back.
            case restart(server: Int, lasting: Int)
            case hang(server: Int, lasting: Int)
            case refuseWrites(server: Int, lasting: Int)
            case cut(instance: Int, server: Int, lasting: Int)
            case pause(instance: Int, lasting: Int)
            /// Kills an instance. Another one starts after a while.
            case replace(instance: Int, after: Int)
            /// Sets one clock, or all clocks, so that the error is `offset`.
            case set(instance: Int?, offset: Int)
            case sleep(instance: Int, lasting: Int)
            case starve(instance: Int, lasting: Int)
            /// Puts the store's machine to sleep.
            case storeSleep(server: Int, lasting: Int)
            /// An operator resets a limit at the first instance; the others hear of it after a while each.
            case reset(subject: Int, heardAfter: [Int])
            /// One instance's settings get another number of the limits.
            case renumber(instance: Int, count: Int)
        }

        let time: Int
        let what: What
    }

    let kind: Kind
    var ring = SimulatedRing(servers: ["one"])
    var rule = StoreDownRule.share
    let timeoutMicroseconds: Int
    let instances: Int
    /// The configured number of instances; nil counts the living ones.
    var countedInstances: Int?
    let slotMicroseconds: Int
    /// The largest difference between two instances' clocks.
    var spread = 0
    var weather: Network.Weather
    /// The additional delay of one way, by index of the instance.
    let detours: [Int]
    let quotas: [Quota]
    let start: Int
    let loadEnd: Int
    var incidents: [Incident] = []
    /// The number of requests after which callers stop.
    var asksBound = Int.max
    /// The error of each clock at the start, apart from the spread, by index of the instance.
    var offsets: [Int] = []
    /// The delay of each instance's start after the first one, by index. In ascending order.
    var startDelays: [Int] = []
    /// The clock readings in a thousand that are used only after the process was stopped for one of `stalls`.
    var staleReadings = 0
    var stalls: [Int] = []
    /// The longest time that callers wait for their turn, in microseconds; 0 if none waits.
    var longestPatience = 0
    /// The memory that instances may use for accounts.
    var accountBytes = 64 * 1_048_576

    /// Whether nothing fails and round trips are as short as exact promises need.
    var isCalm: Bool {
        switch kind {
        case .saturated, .modest, .busy, .fastAndIdle, .tokens, .several: true
        default: false
        }
    }

    /// Whether clocks are never further apart than `spread`, and no wrong time is believed.
    var isTimeSound: Bool { !kind.isOfClocks && staleReadings == 0 && !hasStoreThatSleeps }

    private var hasStoreThatSleeps: Bool {
        incidents.contains { if case .storeSleep = $0.what { true } else { false } }
    }

    /// The delay with which threads wake up after a long wait.
    var lateness: Int {
        let shortest = quotas.map(\.scaleSeconds).min() ?? 0
        return shortest < 3_600 ? 0 : min(shortest * 2_000, slotMicroseconds / 3)
    }

    /// The longest duration of a request.
    var longestHoldMicroseconds: Int {
        max(1, min(2_000_000, (quotas.map(\.scaleSeconds).min() ?? 0) * 250_000))
    }

    /// The time after the last request in which everything that was admitted has been written.
    var quietMicroseconds: Int {
        let bucket = quotas.map(\.bucketMicroseconds).max() ?? 0
        // Units that were moved wait for a sixteenth of the window, at most a second.
        let grace = min((quotas.map(\.scaleSeconds).max() ?? 0) * 1_000_000 / 16, 1_000_000)
        return 2 * min(bucket, 1_000_000) + 2 * grace + 2 * lateness
            + 40 * (weather.delay.upperBound + (detours.max() ?? 0))
            + 6 * (weather.longestRoundTrip - 2 * weather.delay.upperBound) + 5_000
    }
}

extension Scenario {
    static let windows = [
        1, 1, 1, 2, 2, 5, 10, 10, 30, 59, 60, 60, 61, 300, 300, 3_600, 3_600, 86_400, 604_800, 2_678_400,
    ]

    init(seed: Int, size: Int, _ dice: inout Seeded) {
        kind = Kind.allCases[seed % Kind.allCases.count]
        ring = SimulatedRing(servers: kind != .shared && dice.below(3) == 0 ? ["one", "two"] : ["one"])
        let quotas = Self.quotas(kind, &dice)
        self.quotas = quotas
        let bucket = quotas.map(\.bucketMicroseconds).min() ?? 1
        let longest = quotas.map(\.scaleSeconds).max() ?? 1
        slotMicroseconds = max(dice.pick([5_000_000, 30_000_000]), min(3_600, longest / 60) * 1_000_000)
        let some = dice.pick(kind.instances)
        instances = kind == .fastAndIdle ? 2 : longest < 86_400 ? some : min(2, some)
        // Instances with an error of more than three seconds correct their clocks, so a client could not come back
        // exactly in time.
        let isRewritten = kind == .saturated || kind.isOfClocks
        let most = isRewritten ? min(bucket, 1_400_000) : kind == .slots ? slotMicroseconds / 2 : bucket
        countedInstances = kind == .shared || dice.below(2) == 0 ? instances : nil
        spread = kind == .fastAndIdle ? most : dice.pick([0, most / 2, most, most])
        start = 1_800_000_000_000_000 + dice.below(longest * 1_000_000)
        let windows = longest >= 86_400 ? 1 : kind == .busy ? 2 : dice.pick([2, 3, 3])
        let early = kind == .apart ? 40_000_000 : 0
        let duration = early + windows * longest * 1_000_000 + dice.below(longest * 1_000_000)
        loadEnd = start + duration
        asksBound = (kind == .busy ? 4_000 : kind == .saturated ? 1_200 : kind.isOfClocks ? 400 : 500) * size
        rule = Self.rule(kind, &dice)
        var weather = Network.Weather(delay: 20...max(21, min(bucket / 12, 2_000)))
        timeoutMicroseconds =
            weather.delay.upperBound > 0 && kind.hasFaults ? dice.pick([50_000, 250_000, 250_000, 1_000_000]) : 250_000
        if kind == .slow { weather.delay = 20...dice.pick([5_000, 20_000, 60_000, timeoutMicroseconds]) }
        if kind == .unanswered || kind == .everything {
            weather.lostCalls = dice.pick([0, 2, 10, 30])
            weather.lostAnswers = dice.pick([0, 5, 20, 50])
            weather.resets = dice.pick([0, 5, 20])
            weather.late = dice.pick([0, 5, 20, 50])
            weather.repeats = dice.pick([0, 20, 200])
            weather.hangs = dice.pick([0, 0, 2])
        }
        if kind == .late || kind == .lateModest || (kind == .starved && dice.below(2) == 0) {
            weather.answerLate(
                withinMicroseconds: timeoutMicroseconds,
                modest: kind == .lateModest ? quotas[0] : nil,
                &dice
            )
            if kind == .late, dice.below(3) == 0 { weather.overdueAnswers = dice.pick([10, 100, 100]) }
        }
        self.weather = weather
        if kind == .starved {
            staleReadings = dice.pick([0, 2, 10])
            stalls = [1_000, 30_000, 300_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000]
        }
        if seed / Kind.allCases.count % 2 == 1 {
            var dice = Seeded(UInt64(seed))
            let window = min(longest, 600) * 1_000_000
            longestPatience = dice.pick([window / 60, window / 2, window + window / 30, 2 * window])
        }
        offsets = Self.offsets(kind, instances, &dice)
        startDelays = Self.startDelays(kind, instances, longest, &dice)
        let isUneven = kind == .slow && dice.below(2) == 0
        detours = (0..<instances).map { _ in isUneven && dice.below(2) == 0 ? dice.below(100_000) : 0 }
        incidents = Self.incidents(kind, start..<loadEnd, instances, ring.servers.count, quotas.count, &dice)
    }

    private static func rule(_ kind: Kind, _ dice: inout Seeded) -> StoreDownRule {
        switch kind {
        case .unanswered: dice.pick([.deny, .deny, .local])
        case .shared: .share
        default: dice.pick(StoreDownRule.allCases)
        }
    }

    private static func quotas(_ kind: Kind, _ dice: inout Seeded) -> [Quota] {
        let counts = [1, 2, 3, 5, 10, 20, 60, 100, 300, 1_000, 10_000, 100_000]
        let fewer = [1, 2, 3, 5, 10, 20, 60, 60, 100, 300, 1_000]
        let mixed: [Quota.Unit] = [.requests, .requests, .images, .tokens]
        let near = dice.pick(Self.windows)
        func quota(_ counts: [Int], _ units: [Quota.Unit], _ windows: [Int]? = nil) -> Quota {
            let window = dice.pick(windows ?? [near, near, near, min(near * (near < 3_600 ? 10 : 2), 2_678_400)])
            return Quota(dice.pick(counts), dice.pick(units), per: .second, times: window)
        }
        switch kind {
        case .modest:
            return (0...dice.below(2)).map { _ in quota([20, 30, 60, 100, 200, 1_000, 100_000], [.requests, .images]) }
        case .slots: return (0...dice.below(2)).map { _ in quota([1, 2, 3, 10, 50], [.concurrent]) }
        case .shared: return [quota([1, 5, 20, 100, 1_000], [.requests, .images], [10, 30, 60, 61, 300, 3_600])]
        case .lateModest:
            return [quota([20, 30, 60, 100, 200], [.requests, .images], [6, 10, 12, 30, 59, 60, 300, 3_600])]
        case .late, .starved, .staggered: return (0...dice.below(2)).map { _ in quota(fewer, mixed) }
        case .apart, .stepped, .asleep:
            let window = dice.pick([5, 10, 12, 30, 60, 61, 300, 3_600, 86_400, 2_678_400])
            return [quota(fewer, mixed, [window])]
        case .busy: return [quota([200, 500], [.requests], [1, 2, 10, 60, 300, 3_600])]
        case .saturated:
            return (0...dice.below(2))
                .map { _ in dice.below(2) == 0 ? quota([1, 2, 3, 10, 60, 100], [.requests]) : quota(counts, [.images]) }
        case .fastAndIdle: return [quota([1, 5, 20, 100], [.requests, .images])]
        case .tokens: return [quota([1_000, 10_000, 100_000], [.tokens, .credits])]
        case .several, .everything:
            return (0...1 + dice.below(2)).map { _ in quota(counts, [.requests, .requests, .tokens, .images]) }
        default: return (0...dice.below(2)).map { _ in quota(counts, [.requests, .requests, .images, .tokens]) }
        }
    }

    private static func offsets(_ kind: Kind, _ instances: Int, _ dice: inout Seeded) -> [Int] {
        let none = [Int](repeating: 0, count: instances)
        guard kind == .apart else { return none }
        func far(_ dice: inout Seeded) -> Int {
            dice.pick([5_000_000, 10_000_000, 20_000_000, 40_000_000, 600_000_000, 3_600_000_000])
                * (dice.below(2) == 0 ? 1 : -1)
        }
        switch dice.below(5) {
        case 0: return (0..<instances).map { [20_000_000, -20_000_000, 0, 0][$0 % 4] }
        case 1: return [far(&dice)] + none.dropFirst()
        case 2:
            let all = far(&dice)
            return none.map { _ in all }
        case 3: return none.map { _ in dice.below(2_200_000) - 1_100_000 }
        default: return none.map { _ in dice.below(2) == 0 ? 0 : far(&dice) }
        }
    }

    private static func startDelays(_ kind: Kind, _ instances: Int, _ seconds: Int, _ dice: inout Seeded) -> [Int] {
        let none = [Int](repeating: 0, count: instances)
        switch kind {
        case .apart where dice.below(3) == 0: return none.indices.map { $0 == 0 ? 0 : 30_000_000 }
        case .apart where dice.below(2) == 0, .staggered:
            let gap = dice.pick([1_000, 100_000, 3_000_000, seconds * 1_000_000 / 8])
            return none.indices.map { $0 * gap }
        default: return none
        }
    }

    private static func incidents(
        _ kind: Kind,
        _ span: Range<Int>,
        _ instances: Int,
        _ servers: Int,
        _ subjects: Int,
        _ dice: inout Seeded
    ) -> [Incident] {
        var incidents: [Incident] = []
        func lasting(_ dice: inout Seeded) -> Int {
            dice.pick([1_000, 30_000, 300_000, 1_500_000, 4_000_000, span.count / 10])
        }
        func add(_ what: Incident.What, _ dice: inout Seeded) {
            incidents.append(Incident(time: span.lowerBound + dice.below(span.count), what: what))
        }
        for _ in 0...dice.below(4) {
            let (server, instance) = (dice.below(servers), dice.below(instances))
            if kind == .stalls || kind == .everything {
                add(.pause(instance: instance, lasting: lasting(&dice)), &dice)
                if dice.below(3) == 0 { add(.replace(instance: instance, after: 0), &dice) }
            }
            if kind == .slots, dice.below(2) == 0 { add(.replace(instance: instance, after: 0), &dice) }
            if kind == .starved {
                add(.starve(instance: instance, lasting: dice.pick([100_000, 400_000, 1_000_000, 8_000_000])), &dice)
            }
            if kind == .asleep {
                let lasting = dice.pick([500_000, 2_000_000, 10_000_000, 60_000_000, 3_600_000_000])
                add(.sleep(instance: instance, lasting: min(lasting, span.count / 4)), &dice)
            }
            if kind == .forgetful || kind == .everything {
                add(dice.below(2) == 0 ? .flush(server: server) : .evict(subject: dice.below(subjects)), &dice)
            }
            if kind == .outage || kind == .everything {
                let length = min(lasting(&dice), 10_000_000)
                switch dice.below(4) {
                case 0: add(.restart(server: server, lasting: length), &dice)
                case 1: add(.hang(server: server, lasting: length), &dice)
                case 2: add(.cut(instance: instance, server: server, lasting: length), &dice)
                default: add(.refuseWrites(server: server, lasting: length), &dice)
                }
            }
        }
        if kind == .late, dice.below(3) == 0 {
            add(.pause(instance: dice.below(instances), lasting: lasting(&dice)), &dice)
            add(.replace(instance: dice.below(instances), after: 0), &dice)
        }
        if kind == .staggered, dice.below(3) == 0 {
            add(.replace(instance: dice.below(instances), after: dice.pick([0, 1_000_000, 10_000_000])), &dice)
        }
        if kind == .asleep || kind == .staggered, dice.below(4) == 0 {
            let lasting = dice.pick([100_000, 2_000_000, 5_000_000, 10_000_000, 40_000_000])
            add(.storeSleep(server: dice.below(servers), lasting: lasting), &dice)
        }
        if kind == .stepped { incidents += steps(span, instances, &dice) }
        if kind == .shared {
            add(.hang(server: 0, lasting: dice.pick([1_500_000, 5_000_000, 20_000_000, span.count / 4])), &dice)
        }
        return incidents.sorted { $0.time < $1.time }
    }

    /// Returns steps of the clocks: either all small, so that clocks stay within three seconds, or all large.
    private static func steps(_ span: Range<Int>, _ instances: Int, _ dice: inout Seeded) -> [Incident] {
        let isSmall = dice.below(2) == 0
        let areAll = dice.below(3) == 0
        var incidents: [Incident] = []
        for _ in 0...dice.below(4) {
            let instance = areAll ? nil : dice.below(instances)
            let distance = dice.pick([5_000_000, 10_000_000, 60_000_000, 3_600_000_000])
            let offset = isSmall ? dice.below(2_200_000) - 1_100_000 : dice.below(2) == 0 ? distance : -distance
            let time = span.lowerBound + dice.below(span.count)
            incidents.append(Incident(time: time, what: .set(instance: instance, offset: offset)))
            guard dice.below(2) == 0 else { continue }
            let later = time + dice.pick([100_000, 1_000_000, 5_000_000, span.count / 8, span.count / 3])
            incidents.append(Incident(time: later, what: .set(instance: instance, offset: 0)))
        }
        return incidents
    }
}

extension Network.Weather {
    /// Delays the responses to all calls, or to one in ten.
    ///
    /// For modest callers all responses come within half of the time-out: a decision needs two calls, perhaps after two
    /// that were under way, in four times the time-out. If all responses are late, none is later than units may be used
    /// after their bucket. A later one would cause another write, and that may repeat.
    fileprivate mutating func answerLate(withinMicroseconds timeout: Int, modest quota: Quota?, _ dice: inout Seeded) {
        slowAnswers = dice.pick([100, 100, 1_000])
        var most = dice.pick([timeout / 8, timeout / 2, quota != nil && slowAnswers == 1_000 ? timeout / 2 : timeout])
        if let quota, slowAnswers == 1_000 { most = min(most, quota.windowSeconds * 1_000_000 / 16) }
        slowness = 0...max(1, min(timeout - 2 * delay.upperBound - 1_000, most))
    }
}

extension Scenario.Kind {
    fileprivate var hasFaults: Bool {
        switch self {
        case .saturated, .modest, .busy, .fastAndIdle, .tokens, .several, .apart, .stepped, .asleep, .staggered: false
        default: true
        }
    }

    fileprivate var instances: [Int] {
        switch self {
        case .shared: [1, 2, 3, 4, 5, 8, 16]
        case .late: [1, 2, 4, 4, 8, 16]
        case .staggered: [4, 8, 16]
        case .lateModest, .starved, .apart, .stepped, .asleep: [1, 2, 2, 4, 4, 8]
        default: [1, 2, 2, 3, 4, 5]
        }
    }
}

extension Quota {
    fileprivate var bucketMicroseconds: Int { scaleSeconds * 1_000_000 / (scaleSeconds < 60 ? 60 : 120) }

    /// The duration by which a run's times are chosen: the window.
    fileprivate var scaleSeconds: Int { unit == .concurrent ? 20 : windowSeconds }
}
