@testable import Shared

/// Holds what instances decide against what is promised. Knows requests, decisions and what became of calls, all in
/// true time, and nothing of what the limiter thinks.
final class Judge {
    final class Ask {
        let instance: Int
        let parts: [(subject: Subject, units: Int)]
        /// Wants so little that it is never refused.
        let isModest: Bool
        fileprivate(set) var time = 0
        fileprivate(set) var isDecided = false
        fileprivate var mustBeAdmitted = false
        fileprivate var mustBeRefusedAtOnce = false
        /// Places among the subjects' admissions.
        fileprivate var places: [Int] = []

        init(_ instance: Int, _ parts: [(subject: Subject, units: Int)], isModest: Bool = false) {
            self.instance = instance
            self.parts = parts
            self.isModest = isModest
        }
    }

    private struct Refusal {
        let instance: Int
        let units: [Int]
        /// When it may come back, on the instance's clock; nil: never.
        let backAt: Int?
        /// Until then (true time) it needs no look at the store.
        let rememberedUntil: Int
    }

    private struct Link: Hashable {
        let instance: Int
        let place: Int
    }

    let scenario: Scenario
    private(set) var subjects: [Subject] = []
    private var subjectsByKey: [String: Subject] = [:]
    private var clocks: [MachineClock] = []
    private var lastRefusals: [Int: Refusal] = [:]
    /// Servers that an instance has met a failure of, and not a success since.
    private var downSince: [Link: Int] = [:]
    private var wasDownAt: [Link: Int] = [:]
    private var ruleUntil: [Link: Int] = [:]
    private(set) var hasFailures = false
    var hasDeaths: Bool { !deaths.isEmpty }
    /// When instances died.
    private(set) var deaths: [Int: Int] = [:]
    /// When all instances lost the store together.
    var hangBegan: Int?
    /// Until then callers that always want more did ask.
    var loadEnd: Int
    /// The least part of N that such a caller got.
    var utilisation: Double?
    /// The most units above what is promised.
    var excess = 0
    private(set) var breaches: [Breach] = []
    private(set) var decisions = 0
    private(set) var admitted = 0
    var trace: ((String) -> Void)?

    init(_ scenario: Scenario) {
        self.scenario = scenario
        loadEnd = scenario.loadEnd
    }

    var instanceCount: Int { clocks.count }

    func wall(of instance: Int, at time: Int) -> Int { clocks[instance].wall(at: time) }

    func breach(_ promise: String, _ text: String) {
        trace?("BREACH \(promise): \(text)")
        if breaches.count < 20 { breaches.append(Breach(promise: promise, text: text)) }
    }

    func add(_ limit: Limit, _ identity: Identity, isExclusive: Bool) -> Subject {
        let subject = Subject(subjects.count, limit, identity, isExclusive: isExclusive)
        subjects.append(subject)
        subjectsByKey[subject.storeKey] = subject
        return subject
    }

    /// In the order of their numbers.
    func add(_ clock: MachineClock) { clocks.append(clock) }

    // MARK: Requests

    func asks(_ ask: Ask, at time: Int, wall: Int) {
        ask.time = time
        for part in ask.parts where part.subject.firstAsk == nil { part.subject.firstAsk = time }
        trace?("\(time) instance \(ask.instance) asked \(text(ask))")
        guard scenario.isCalm, let first = ask.parts.first?.subject, first.isExclusive,
            let refusal = lastRefusals[first.number], refusal.instance == ask.instance,
            refusal.units == ask.parts.map(\.units)
        else { return }
        guard let backAt = refusal.backAt else {
            ask.mustBeRefusedAtOnce = true
            return
        }
        if wall >= backAt { ask.mustBeAdmitted = true }
        // A busy record's refusal is remembered until the first lease ends only.
        let isNeverLeased = ask.parts.allSatisfy { $0.subject.limit.quota.unit != .requests || $0.subject.bound < 8 }
        if isNeverLeased, wall < backAt, time < refusal.rememberedUntil { ask.mustBeRefusedAtOnce = true }
    }

    func decided(_ ask: Ask, _ decision: Decision, at time: Int, isAtOnce: Bool = false, wakesLanes: Bool = false) {
        let wall = clocks[ask.instance].wall(at: time)
        trace?(
            "\(time) instance \(ask.instance) decided \(text(ask)) "
                + "\(decision.isAdmitted ? "ADMITTED" : "refused, back in \(decision.refusal?.retryAfterMicroseconds ?? -1)")"
        )
        if ask.isDecided { breach("L6", "decided twice") }
        ask.isDecided = true
        decisions += 1
        if decision.isAdmitted { admitted += 1 }
        checkKind(ask, decision, time, wall)
        if ask.mustBeRefusedAtOnce, !isAtOnce || wakesLanes || decision.isAdmitted {
            breach("L3", "a remembered refusal of \(ask.parts[0].subject.storeKey) touched the store at \(time)")
        }
        for part in ask.parts {
            let subject = part.subject
            ask.places.append(subject.admissions.count)
            guard decision.isAdmitted else { continue }
            subject.admissions.append(
                Subject.Admission(
                    askedAt: ask.time,
                    time: time,
                    wall: wall,
                    instance: ask.instance,
                    units: part.units,
                    isByRule: scenario.rule != .deny && isByRule(ask, subject, time)
                )
            )
        }
        for part in ask.parts where part.subject.isSlots && decision.refusal != nil {
            part.subject.refusals.append((ask.time, time, part.units))
        }
        guard let first = ask.parts.first?.subject, first.isExclusive else { return }
        lastRefusals[first.number] = decision.refusal.map { refusal in
            let wait = refusal.retryAfterMicroseconds
            let isKnownLate = ask.parts.contains { $0.subject.limit.quota.unit.isKnownLate }
            let memory = time + (isKnownLate ? min(wait ?? 0, 1_000_000) : wait ?? 0)
            // What is refused from memory does not make that last longer.
            let before = lastRefusals[first.number]
            let isSame = before?.instance == ask.instance
            return Refusal(
                instance: ask.instance,
                units: ask.parts.map(\.units),
                backAt: wait.map { wall + $0 },
                rememberedUntil: isAtOnce ? isSame ? before?.rememberedUntil ?? 0 : 0 : memory
            )
        }
    }

    private func checkKind(_ ask: Ask, _ decision: Decision, _ time: Int, _ wall: Int) {
        if case .storeDown = decision.outcome {
            if scenario.rule != .deny || !ask.parts.contains(where: { isByRule(ask, $0.subject, time) }) {
                breach("L6", "the store was said to be down without reason")
            }
            return
        }
        let isTooLarge = ask.parts.contains { $0.units > $0.subject.bound }
        if isTooLarge != (decision.refusal != nil && decision.refusal?.retryAfterMicroseconds == nil), isTooLarge {
            breach("L5", "a request larger than its limit was not refused for good")
        }
        if let wait = decision.refusal?.retryAfterMicroseconds, wait < 0 { breach("L5", "a negative wait") }
        guard scenario.isCalm else { return }
        if ask.isModest, !decision.isAdmitted {
            breach("L2", "a modest caller of \(ask.parts[0].subject.storeKey) was refused at \(time)")
        }
        if ask.mustBeAdmitted, !decision.isAdmitted {
            breach("L5", "\(ask.parts[0].subject.storeKey) was refused at \(time) though it came back in time")
        }
        if let first = ask.parts.first?.subject, first.isExclusive, let refusal = lastRefusals[first.number],
            let backAt = refusal.backAt, refusal.instance == ask.instance, refusal.units == ask.parts.map(\.units),
            decision.isAdmitted, wall < backAt
        {
            breach("L5", "\(first.storeKey) was admitted at \(time), \(backAt - wall) us before its time")
        }
    }

    func settles(_ ask: Ask, _ used: Amounts?, at time: Int) {
        trace?("\(time) instance \(ask.instance) settled \(text(ask)): \(used.map { "\($0)" } ?? "unknown")")
        if let first = ask.parts.first { lastRefusals[first.subject.number] = nil }
        for (index, part) in ask.parts.enumerated() where part.subject.limit.quota.unit.isHeld {
            let (place, isSlot) = (ask.places[index], part.subject.isSlots)
            guard isSlot || used != nil else { continue }
            part.subject.admissions[place].used = isSlot ? 0 : used?[part.subject.limit.quota.unit]
            part.subject.admissions[place].settledAt = time
            part.subject.settlements.append(place)
        }
    }

    private func text(_ ask: Ask) -> String {
        ask.parts.map { "\($0.units) of \($0.subject.number)" }.joined(separator: ", ")
    }

    // MARK: What happens

    func loses(_ subject: Subject, at time: Int) { subject.losses.append(time) }

    func dies(instance: Int, at time: Int) { deaths[instance] = time }

    func loses(server: Int, at time: Int) {
        for subject in subjects where scenario.ring.server(of: subject.storeKey) == server { loses(subject, at: time) }
    }

    func fails(instance: Int, server: Int, at time: Int) {
        trace?("\(time) instance \(instance) lost server \(server)")
        hasFailures = true
        downSince[Link(instance: instance, place: server)] = time
    }

    func connects(instance: Int, server: Int, began: Int, at time: Int) {
        let link = Link(instance: instance, place: server)
        trace?("\(time) instance \(instance) connected to server \(server) since \(began)")
        guard let since = downSince[link], began > since else { return }
        downSince[link] = nil
        wasDownAt[link] = time
    }

    /// The request's time is up: its records may be under the rule for a second.
    func expires(_ ask: Ask, at time: Int) {
        trace?("\(time) instance \(ask.instance) request expires")
        for part in ask.parts {
            ruleUntil[Link(instance: ask.instance, place: part.subject.number)] = time + 1_000_000
        }
    }

    func isRefusedWrite(instance: Int, key: String, at time: Int) {
        guard let subject = subjectsByKey[key] else { return }
        hasFailures = true
        ruleUntil[Link(instance: instance, place: subject.number)] = time + 1_000_000
    }

    func exchanges(instance: Int, key: String, isWritten: Bool, at time: Int) {
        trace?("\(time) instance \(instance) \(isWritten ? "wrote" : "read") \(subjectsByKey[key]?.number ?? -1)")
        subjectsByKey[key]?.exchanges.append(.init(instance: instance, time: time, isWritten: isWritten))
    }

    private func isByRule(_ ask: Ask, _ subject: Subject, _ time: Int) -> Bool {
        let link = Link(instance: ask.instance, place: scenario.ring.server(of: subject.storeKey))
        if downSince[link] != nil || (wasDownAt[link] ?? 0) >= ask.time { return true }
        return (ruleUntil[Link(instance: ask.instance, place: subject.number)] ?? 0) >= ask.time
    }
}

package struct Breach: Sendable {
    package let promise: String
    package let text: String
}
