import Support

@testable import Shared

/// What one run is about; all of it follows from the seed.
struct Scenario {
    package enum Kind: String, CaseIterable, Sendable {
        /// Nothing fails; callers that always want more, that come back exactly in time, that come early.
        case saturated
        /// Nothing fails, and no caller wants more than nine tenths.
        case modest
        /// Many single requests on few records.
        case busy
        /// One instance's clock is a bucket ahead, and it asks when a window is nearly over.
        case fastAndIdle
        /// Units that are known late.
        case tokens
        /// Several limits a request, with windows of their own.
        case several
        /// Round trips longer than a bucket, up to longer than the timer.
        case slow
        /// Calls and answers are lost, late and repeated.
        case unanswered
        /// Instances stop for a while, die and are replaced.
        case stalls
        /// The store forgets records.
        case forgetful
        /// Servers end, hang, or cannot be reached by one instance.
        case outage
        /// All of it at once.
        case everything
        /// Requests that run at the same time; instances die.
        case slots
        /// All instances lose the store together and share what is left.
        case shared
    }

    struct Incident {
        enum What {
            case flush(server: Int)
            case evict(subject: Int)
            /// Ends, empty when it is back.
            case restart(server: Int, lasting: Int)
            case hang(server: Int, lasting: Int)
            case refuseWrites(server: Int, lasting: Int)
            case cut(instance: Int, server: Int, lasting: Int)
            case pause(instance: Int, lasting: Int)
            case replace(instance: Int)
        }

        let time: Int
        let what: What
    }

    let kind: Kind
    let ring: SimulatedRing
    let rule: StoreDownRule
    let timeoutMicroseconds: Int
    let instances: Int
    /// As the setting says; nil: as many as are alive.
    let countedInstances: Int?
    let slotMicroseconds: Int
    /// The greatest difference between two instances' clocks.
    let spread: Int
    let weather: Network.Weather
    /// One way besides, by place of the instance.
    let detours: [Int]
    let quotas: [Quota]
    let start: Int
    let loadEnd: Int
    let incidents: [Incident]
    /// Requests after which callers stop.
    let asksBound: Int

    /// Nothing fails, and round trips are as short as exact promises need.
    var isCalm: Bool {
        switch kind {
        case .saturated, .modest, .busy, .fastAndIdle, .tokens, .several: true
        case .slow, .unanswered, .stalls, .forgetful, .outage, .everything, .slots, .shared: false
        }
    }

    /// Threads that wait for long wake up so much later.
    var lateness: Int {
        let shortest = quotas.map(\.scaleSeconds).min() ?? 0
        return shortest < 3_600 ? 0 : min(shortest * 2_000, slotMicroseconds / 3)
    }

    /// How long a request takes at most.
    var longestHoldMicroseconds: Int {
        max(1, min(2_000_000, (quotas.map(\.scaleSeconds).min() ?? 0) * 250_000))
    }

    /// All that is admitted when work is over has been written by then.
    var quietMicroseconds: Int {
        let bucket = quotas.map(\.bucketMicroseconds).max() ?? 0
        return 2 * min(bucket, 1_000_000) + 2 * lateness + 40 * (weather.delay.upperBound + (detours.max() ?? 0))
            + 5_000
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
        let some = dice.pick([1, 2, 2, 3, 4, 5])
        instances = kind == .fastAndIdle ? 2 : longest < 86_400 ? some : min(2, some)
        // Instances more than three seconds off mend their clocks, and a client could not come back exactly in time.
        let most = kind == .saturated ? min(bucket, 1_900_000) : kind == .slots ? slotMicroseconds / 2 : bucket
        countedInstances = kind == .shared || dice.below(2) == 0 ? instances : nil
        spread = kind == .fastAndIdle ? most : dice.pick([0, most / 2, most, most])
        start = 1_800_000_000_000_000 + dice.below(longest * 1_000_000)
        let windows = longest >= 86_400 ? 1 : kind == .busy ? 2 : dice.pick([2, 3, 3])
        let duration = windows * longest * 1_000_000 + dice.below(longest * 1_000_000)
        loadEnd = start + duration
        asksBound = (kind == .busy ? 4_000 : kind == .saturated ? 1_200 : 500) * size
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
        self.weather = weather
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
                if dice.below(3) == 0 { add(.replace(instance: instance), &dice) }
            }
            if kind == .slots, dice.below(2) == 0 { add(.replace(instance: instance), &dice) }
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
        if kind == .shared {
            add(.hang(server: 0, lasting: dice.pick([1_500_000, 5_000_000, 20_000_000, span.count / 4])), &dice)
        }
        return incidents.sorted { $0.time < $1.time }
    }
}

extension Scenario.Kind {
    fileprivate var hasFaults: Bool {
        switch self {
        case .saturated, .modest, .busy, .fastAndIdle, .tokens, .several: false
        case .slow, .unanswered, .stalls, .forgetful, .outage, .everything, .slots, .shared: true
        }
    }
}

extension Quota {
    fileprivate var bucketMicroseconds: Int { scaleSeconds * 1_000_000 / (scaleSeconds < 60 ? 60 : 120) }

    /// What a run's times are chosen by: the window.
    fileprivate var scaleSeconds: Int { unit == .concurrent ? 20 : windowSeconds }
}
