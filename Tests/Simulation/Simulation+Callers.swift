import Support

@testable import Limits

/// The callers of a run, by its kind.
extension Simulation {
    func prepare() {
        mayLoseAsks = scenario.incidents.contains { if case .replace = $0.what { true } else { false } }
        switch scenario.kind {
        case .several, .everything: prepareSeveral()
        default:
            for (number, quota) in scenario.quotas.enumerated() { prepare(quota, number) }
        }
    }

    func limit(_ quota: Quota, _ kind: Limit.Kind = .caller(.chat)) -> Limit {
        let layout = BucketLayout(windowSeconds: quota.windowSeconds, spareBuckets: plant == .bucketLess ? 1 : 2)
        return Limit(kind, quota, layout: layout, countsExpiredBuckets: plant != .leftForgotten)
    }

    func identity(_ number: Int) -> Identity { .address("caller \(seed) \(number)") }

    func start(
        _ subjects: [Subject],
        _ manner: Caller.Manner,
        home: Int?,
        units: [ClosedRange<Int>],
        think: ClosedRange<Int>,
        at time: Int? = nil
    ) {
        let caller = Caller(self, subjects, manner, home: home, units: units, think: think, Seeded(dice.next()))
        callers.append(caller)
        let first = home.map(start(of:)) ?? scenario.start
        caller.start(at: max(first, time ?? first + dice.below(subjects[0].bucket)))
    }

    private func prepare(_ quota: Quota, _ number: Int) {
        let choice = dice.below(4)
        let isExclusive = scenario.kind == .saturated && choice == 0
        let subject = judge.add(limit(quota), identity(number), isExclusive: isExclusive)
        let most = max(1, quota.count / 20)
        let unit =
            quota.unit == .requests && scenario.kind == .saturated ? 1 : largestDivisor(of: quota.count, notAbove: most)
        let think = 1...max(1, min(subject.window / 2_000, 2_000))
        switch scenario.kind {
        case .modest: start([subject], .planned(modestPlan(subject)), home: nil, units: [], think: think)
        case .lateModest: prepareLateModest(subject)
        case .late, .starved, .apart, .stepped, .asleep, .staggered:
            prepareManifold(subject, quota.count / unit, unit, think)
        case .fastAndIdle: prepareFastAndIdle(subject, unit, think)
        case .busy:
            for index in 0..<scenario.instances {
                start([subject], .greedy(batch: 10), home: index, units: [1...1], think: think)
            }
            subject.isSaturated = true
        case .slots:
            for index in 0..<scenario.instances {
                let manner = dice.below(2) == 0 ? Caller.Manner.greedy(batch: 1 + dice.below(4)) : .bursty(most: 8)
                start([subject], manner, home: index, units: [1...1], think: 1...2_000_000)
            }
        case .tokens: prepareTokens(subject)
        case .saturated where isExclusive:
            let manner = dice.below(2) == 0 ? Caller.Manner.punctual : .early
            let units = unit...min(quota.count, unit * dice.pick([1, 1, 3]))
            start(
                [subject],
                manner,
                home: dice.below(scenario.instances),
                units: [units],
                think: 1...max(1, subject.window / 40)
            )
        case .saturated:
            subject.isSaturated = true
            let batch = dice.pick([quota.count / unit + 1, max(2, 3 * quota.count / (unit * 120))])
            let at = scenario.start + dice.below(subject.bucket)
            for index in 0..<(choice == 1 ? 1 : scenario.instances) {
                start([subject], .greedy(batch: batch), home: index, units: [unit...unit], think: think, at: at)
            }
        default: prepareMixed(subject, unit, think)
        }
    }

    /// Creates the callers of `fastAndIdle`. Those of the slow instance send all requests at once, late in a bucket;
    /// the fast instance follows half a window later.
    private func prepareFastAndIdle(_ subject: Subject, _ unit: Int, _ think: ClosedRange<Int>) {
        let clock = instance(0).clock
        let wall = clock.wall(at: scenario.start + 2 * subject.bucket)
        let end = subject.limit.layout.end(of: subject.limit.layout.bucket(at: wall))
        let burst =
            clock.time(ofWall: end, notBefore: scenario.start) - 4 * scenario.weather.delay.upperBound
            - dice.below(subject.bucket / 2)
        let width = subject.bound / unit
        let long = subject.window...subject.window * 2
        start([subject], .bursty(most: 1), home: 0, units: [unit...unit], think: long, at: burst)
        for _ in 0..<width { start([subject], .punctual, home: 0, units: [unit...unit], think: long, at: burst) }
        start(
            [subject],
            .greedy(batch: width),
            home: 1,
            units: [unit...unit],
            think: think,
            at: burst + subject.window / 2
        )
    }

    private func prepareTokens(_ subject: Subject) {
        for index in 0..<scenario.instances {
            let units = 1...max(1, subject.bound / 10)
            let manner = dice.below(2) == 0 ? Caller.Manner.greedy(batch: 3) : .bursty(most: 6)
            start([subject], manner, home: index, units: [units], think: 1...max(1, subject.window / 50))
        }
    }

    private func prepareMixed(_ subject: Subject, _ unit: Int, _ think: ClosedRange<Int>) {
        let width = max(1, min(20, subject.bound / unit + 1))
        var homes = scenario.instances
        if scenario.kind == .forgetful, homes > 1 {
            // An instance that knows nothing gets the first request after each loss.
            homes -= 1
            let plan = scenario.incidents.map { (time: $0.time + 1 + dice.below(3_000), units: 1) }
            start([subject], .planned(plan), home: homes, units: [], think: think)
        }
        for index in 0..<homes {
            switch dice.below(3) {
            case 0: start([subject], .greedy(batch: width), home: index, units: [unit...unit], think: think)
            case 1:
                let long = 1...max(1, subject.window / 20)
                start([subject], .bursty(most: width), home: nil, units: [0...unit], think: long)
            default:
                let units = unit...min(subject.bound, 2 * unit)
                start([subject], .punctual, home: index, units: [units], think: think)
            }
        }
    }

    /// Creates callers at every instance, most of which want more than their limit.
    private func prepareManifold(_ subject: Subject, _ width: Int, _ unit: Int, _ think: ClosedRange<Int>) {
        let width = max(1, min(20, width + 1))
        for index in 0..<scenario.instances {
            switch dice.below(6) {
            case 0:
                let long = 1...max(1, subject.window / 20)
                start([subject], .bursty(most: width), home: nil, units: [0...unit], think: long)
            case 1:
                let units = unit...min(subject.bound, 2 * unit)
                start([subject], .punctual, home: index, units: [units], think: think)
            default:
                let units = unit...unit
                start([subject], .greedy(batch: 1 + dice.below(width)), home: index, units: [units], think: think)
            }
        }
    }

    /// Creates a caller that uses four tenths of N: several requests at once at one instance, or one after another at
    /// all instances.
    private func prepareLateModest(_ subject: Subject) {
        let isAlone = dice.below(2) == 0
        let span = subject.window * 63 / 60
        var plan: [(time: Int, units: Int)] = []
        let most = max(1, subject.bound * 4 / 10)
        let gap = max(span / most, isAlone ? 0 : 5 * scenario.timeoutMicroseconds)
        var time = scenario.start + dice.below(subject.bucket)
        while time < scenario.loadEnd, plan.count < scenario.asksBound - 10 {
            let count = isAlone ? 1 + dice.below(min(most, 5)) : 1
            for _ in 0..<count { plan.append((time, 1)) }
            time += gap * count + dice.below(gap)
        }
        start([subject], .planned(plan), home: isAlone ? dice.below(scenario.instances) : nil, units: [], think: 1...1)
    }

    private func largestDivisor(of count: Int, notAbove most: Int) -> Int {
        var divisor = most
        while count % divisor != 0 { divisor -= 1 }
        return divisor
    }

    /// Creates callers with a limit of their own and limits that all share.
    private func prepareSeveral() {
        let shared = scenario.quotas.dropFirst().enumerated()
            .map { judge.add(limit($1, $0 == 0 ? .total : .model), .everybody, isExclusive: false) }
        for number in 0..<1 + dice.below(3) {
            let own = judge.add(limit(scenario.quotas[0]), identity(number), isExclusive: false)
            var subjects = [own] + shared
            if dice.below(2) == 0 { subjects.reverse() }
            let units = subjects.map { subject in
                subject.limit.quota.unit == .requests && subject.bound <= 100 ? 1...1 : 0...max(1, subject.bound / 15)
            }
            let manner: Caller.Manner =
                switch dice.below(3) {
                case 0: .greedy(batch: 1 + dice.below(12))
                case 1: .bursty(most: 12)
                default: .punctual
                }
            start(
                subjects,
                manner,
                home: dice.below(2) == 0 ? nil : dice.below(scenario.instances),
                units: units,
                think: 1...max(1, own.window / 40)
            )
        }
    }

    /// Returns a plan that uses at most nine tenths of N in any 63/60 of the window, in bursts and single requests. The
    /// span is longer because a request that loses races is counted later than it was sent, by two round trips each.
    private func modestPlan(_ subject: Subject) -> [(time: Int, units: Int)] {
        let most = subject.bound * 9 / 10
        let unit = max(1, subject.bound / 60)
        let span = subject.window * 63 / 60 + 8 * scenario.weather.delay.upperBound
        var plan: [(time: Int, units: Int)] = []
        var (time, first, sum) = (scenario.start, 0, 0)
        while time < scenario.loadEnd, plan.count < scenario.asksBound / scenario.quotas.count - 10 {
            while first < plan.count, plan[first].time < time - span {
                sum -= plan[first].units
                first += 1
            }
            let units = 1 + dice.below(unit)
            if sum + units <= most {
                plan.append((time, units))
                sum += units
                time += dice.below(3) == 0 ? dice.below(subject.window / 20) : dice.below(100)
            } else {
                time = plan[first].time + span + 1
            }
        }
        return plan
    }
}
