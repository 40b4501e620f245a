@testable import Limits

/// The comparison of the instances' decisions with what is promised. It knows requests, decisions and the results of
/// calls, all in true time, but nothing of the limiter's state.
final class Judge {
    final class Ask {
        let instance: Int
        let parts: [(subject: Subject, units: Int)]
        /// Whether the caller wants so little that it must never be refused.
        let isModest: Bool
        /// Whether the request reserves more than it needs, as far as units are free.
        let wishesMore: Bool
        /// The longest time that the request waits for its turn, in microseconds; 0 if it does not wait.
        let patience: Int
        /// Whether the client left before the decision.
        var hasLeft = false
        fileprivate(set) var time = 0
        fileprivate(set) var isDecided = false
        fileprivate var mustBeAdmitted = false
        fileprivate var mustBeRefusedAtOnce = false
        /// The indices of this request's admissions in its subjects' lists.
        fileprivate var admissionIndices: [Int] = []

        init(
            _ instance: Int,
            _ parts: [(subject: Subject, units: Int)],
            isModest: Bool = false,
            wishesMore: Bool = false,
            patience: Int = 0
        ) {
            self.patience = patience
            self.wishesMore = wishesMore
            self.instance = instance
            self.parts = parts
            self.isModest = isModest
        }
    }

    private struct Refusal {
        let instance: Int
        let units: [Int]
        /// The time from which the request may come back, on the instance's clock; nil if it never may.
        let backAt: Int?
        /// Whether another refusal within the same second can have moved `backAt`: room is left for its request, too.
        let isAfterOther: Bool
        /// The true time until which the refusal is remembered, so that a repeated request does not touch the store.
        let rememberedUntil: Int
    }

    /// An instance, and the events that happened to it.
    struct Member {
        let clock: MachineClock
        let startedAt: Int
        var diedAt = Int.max
        /// The instance's reads and writes of the record of living instances.
        var living: [Subject.Exchange] = []
        /// The time at which a call last failed, by server.
        var lostAt: [Int: Int] = [:]
        /// The stops that were long enough for owed units to become overdue.
        var stops: [(began: Int, ended: Int)] = []
    }

    /// A time in which an instance got no response of a server, or a late one, and may have decided alone.
    struct Trouble {
        let instance: Int
        /// The server; nil if only one record could not be written.
        let server: Int?
        let subject: Int?
        let began: Int
        /// The time by which the instance has decided alone.
        let lostAt: Int
        var failedAt: Int
        var ended: Int
    }

    let scenario: Scenario
    private(set) var subjects: [Subject] = []
    private var subjectsByKey: [String: Subject] = [:]
    private(set) var members: [Member] = []
    private var lastRefusals: [Int: Refusal] = [:]
    /// The time of the last refusal of each exclusive subject.
    private var lastRefusedAt: [Int: Int] = [:]
    private(set) var troubles: [Trouble] = []
    /// The steps of clocks that were set, and of machines that slept: the time, and how far the wall clock moved
    /// against the steady one.
    private(set) var steps: [(time: Int, by: Int)] = []
    /// The requests that were refused because the store was down.
    private var saidDown: [(ask: Ask, time: Int)] = []
    var hasFailures: Bool { !troubles.isEmpty }
    private(set) var hasDeaths = false
    /// The times at which a server lost its records.
    private(set) var losses: [Int] = []
    /// The time at which all instances lost the store together.
    var hangBegan: Int?
    /// The time until which saturating callers sent requests.
    var loadEnd: Int
    /// The time at which the run was over.
    var endedAt = 0
    /// The smallest part of N that a saturating caller got.
    var utilisation: Double?
    /// The largest number of units above what is promised.
    var excess = 0
    private(set) var breaches: [Breach] = []
    private(set) var decisions = 0
    private(set) var admitted = 0
    /// The number of requests that were admitted after they had waited for their turn.
    private(set) var waited = 0
    var trace: ((String) -> Void)?

    init(_ scenario: Scenario) {
        self.scenario = scenario
        loadEnd = scenario.loadEnd
    }

    var instanceCount: Int { members.count }

    func wall(of instance: Int, at time: Int) -> Int { members[instance].clock.wall(at: time) }

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

    /// Adds an instance. Instances are added in the order of their numbers.
    func add(_ clock: MachineClock, startedAt: Int) { members.append(Member(clock: clock, startedAt: startedAt)) }

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
        // The refusal of a busy record is remembered only until the first lease ends.
        let isNeverLeased = ask.parts.allSatisfy { $0.subject.limit.quota.unit != .requests || $0.subject.bound < 8 }
        if isNeverLeased, wall < backAt, time < refusal.rememberedUntil { ask.mustBeRefusedAtOnce = true }
    }

    func decided(_ ask: Ask, _ decision: Decision, at time: Int, isAtOnce: Bool = false, wakesLanes: Bool = false) {
        if ask.hasLeft {
            if decision.isAdmitted { breach("L4", "a request is admitted though its client has left") }
            for _ in ask.parts { ask.admissionIndices.append(0) }
            return
        }
        // A clock that is corrected meanwhile moves the turn.
        let latest = ask.time + ask.patience + scenario.spread + 1_500_000
        if scenario.isCalm, ask.patience > 0, time > latest {
            breach("L2", "a request waited for \(time - ask.time) us, but wanted to wait for \(ask.patience)")
        }
        if ask.patience > 0, decision.isAdmitted, time > ask.time + 4 * scenario.timeoutMicroseconds { waited += 1 }
        let wall = members[ask.instance].clock.wall(at: time)
        trace?(
            "\(time) instance \(ask.instance) decided \(text(ask)) "
                + "\(decision.isAdmitted ? "ADMITTED \(decision.held.map(\.units))" : "refused, back in \(decision.refusal?.retryAfterMicroseconds ?? -1)")"
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
            ask.admissionIndices.append(subject.admissions.count)
            guard decision.isAdmitted else { continue }
            // A request that wishes for more than it needs reserves what is free.
            let units = decision.held.first { $0.account.storeKey == subject.storeKey }?.units ?? part.units
            if units < part.units { breach("L1", "\(units) units are reserved of \(part.units) that are needed") }
            subject.admissions.append(
                Subject.Admission(
                    askedAt: ask.time,
                    time: time,
                    wall: wall,
                    instance: ask.instance,
                    units: units
                )
            )
        }
        for part in ask.parts where part.subject.isSlots && decision.refusal != nil {
            part.subject.refusals.append((ask.time, time, part.units))
        }
        guard let first = ask.parts.first?.subject, first.isExclusive else { return }
        let refusedAt = lastRefusedAt[first.number] ?? 0
        if !decision.isAdmitted { lastRefusedAt[first.number] = time }
        lastRefusals[first.number] = decision.refusal.map { refusal in
            let wait = refusal.retryAfterMicroseconds
            let isHeld = ask.parts.contains { $0.subject.limit.quota.unit.isHeld }
            let memory = time + (isHeld ? min(wait ?? 0, 1_000_000) : wait ?? 0)
            // A refusal from memory does not prolong that memory.
            let before = lastRefusals[first.number]
            let isSame = before?.instance == ask.instance
            // A repeated request is told the room after the one that it was told before.
            let isAgain = isSame && before?.units == ask.parts.map(\.units)
            let told = isAgain ? before?.backAt.flatMap { $0 > wall ? $0 : nil } : nil
            return Refusal(
                instance: ask.instance,
                units: ask.parts.map(\.units),
                backAt: wait.map { min(wall + $0, told ?? .max) },
                isAfterOther: isAgain ? before?.isAfterOther ?? false : time - refusedAt < 1_000_000,
                rememberedUntil: isAtOnce ? isSame ? before?.rememberedUntil ?? 0 : 0 : memory
            )
        }
    }

    private func checkKind(_ ask: Ask, _ decision: Decision, _ time: Int, _ wall: Int) {
        if case .storeDown = decision.outcome {
            saidDown.append((ask, time))
            return
        }
        let isTooLarge = ask.parts.contains { $0.units > $0.subject.bound }
        if isTooLarge != (decision.refusal != nil && decision.refusal?.retryAfterMicroseconds == nil), isTooLarge {
            breach("L5", "a request larger than its limit was not refused for good")
        }
        if let wait = decision.refusal?.retryAfterMicroseconds, wait < 0 { breach("L5", "a negative wait") }
        guard scenario.isCalm || scenario.kind == .lateModest else { return }
        if ask.isModest, !decision.isAdmitted {
            breach("L2", "a modest caller of \(ask.parts[0].subject.storeKey) was refused at \(time)")
        }
        if ask.mustBeAdmitted, !decision.isAdmitted {
            breach("L5", "\(ask.parts[0].subject.storeKey) was refused at \(time) though it came back in time")
        }
        if let first = ask.parts.first?.subject, first.isExclusive, let refusal = lastRefusals[first.number],
            let backAt = refusal.backAt, refusal.instance == ask.instance, refusal.units == ask.parts.map(\.units),
            decision.isAdmitted, wall < backAt, !refusal.isAfterOther
        {
            breach("L5", "\(first.storeKey) was admitted at \(time), \(backAt - wall) us before its time")
        }
    }

    func settles(_ ask: Ask, _ used: Amounts?, at time: Int) {
        trace?("\(time) instance \(ask.instance) settled \(text(ask)): \(used.map { "\($0)" } ?? "unknown")")
        if let first = ask.parts.first { lastRefusals[first.subject.number] = nil }
        for (index, part) in ask.parts.enumerated() where part.subject.limit.quota.unit.isHeld {
            let (admission, isSlot) = (ask.admissionIndices[index], part.subject.isSlots)
            guard isSlot || used != nil else { continue }
            part.subject.admissions[admission].used = isSlot ? 0 : used?[part.subject.limit.quota.unit]
            part.subject.admissions[admission].settledAt = time
            part.subject.settlements.append(admission)
        }
    }

    private func text(_ ask: Ask) -> String {
        ask.parts.map { "\($0.units) of \($0.subject.number)" }.joined(separator: ", ")
    }

    // MARK: Events

    func loses(_ subject: Subject, at time: Int) { subject.losses.append(time) }

    func loses(server: Int, at time: Int) {
        losses.append(time)
        for subject in subjects where scenario.ring.server(of: subject.storeKey) == server { loses(subject, at: time) }
    }

    func resets(_ subject: Subject, at time: Int, heardBy end: Int) {
        trace?("\(time) \(subject.number) is reset, which all have heard by \(end)")
        subject.resets.append((time, end))
    }

    func dies(instance: Int, at time: Int) {
        hasDeaths = true
        members[instance].diedAt = time
    }

    /// Records that an instance does not run until `end`. What it owes is not written meanwhile.
    func stops(instance: Int, at time: Int, until end: Int) { members[instance].stops.append((time, end)) }

    func steps(by microseconds: Int, at time: Int) { steps.append((time, microseconds)) }

    /// Records that a call failed.
    func fails(instance: Int, server: Int, sentAt: Int, at time: Int) {
        trace?("\(time) instance \(instance) lost server \(server)")
        members[instance].lostAt[server] = time
        let open = troubles.firstIndex { $0.instance == instance && $0.server == server && $0.ended == .max }
        if let open {
            troubles[open].failedAt = time
            return
        }
        trouble(instance, server, from: sentAt, at: time, until: .max)
    }

    /// Records that a call succeeded, so that the instance knows that the server is available.
    func answers(instance: Int, server: Int, sentAt: Int, at time: Int) {
        for index in troubles.indices where troubles[index].instance == instance && troubles[index].server == server {
            if troubles[index].ended == .max, troubles[index].failedAt <= sentAt { troubles[index].ended = time }
        }
    }

    /// Records that a call took longer than its time-out, whether a response came then or not.
    func isSlow(instance: Int, server: Int, sentAt: Int, at time: Int) {
        trace?("\(time) instance \(instance) waited too long for server \(server)")
        trouble(instance, server, from: sentAt, at: time, until: .max)
    }

    private func trouble(
        _ instance: Int,
        _ server: Int?,
        _ subject: Int? = nil,
        from began: Int,
        at failedAt: Int,
        until ended: Int
    ) {
        troubles.append(
            Trouble(
                instance: instance,
                server: server,
                subject: subject,
                began: began,
                lostAt: failedAt,
                failedAt: failedAt,
                ended: ended
            )
        )
    }

    func isRefusedWrite(instance: Int, key: String, at time: Int) {
        guard let subject = subjectsByKey[key] else { return }
        trouble(instance, nil, subject.number, from: time, at: time, until: time + 1_000_000)
    }

    func exchanges(_ exchange: Subject.Exchange, key: String) {
        guard let subject = subjectsByKey[key] else {
            // A response that comes after its server was given up has no effect on the instance.
            let lostAt = members[exchange.instance].lostAt[scenario.ring.server(of: key)] ?? 0
            if exchange.isWritten || lostAt < exchange.sentAt { members[exchange.instance].living.append(exchange) }
            return
        }
        let verb = exchange.isWritten ? "wrote" : "read"
        trace?("\(exchange.time) instance \(exchange.instance) \(verb) \(subject.number)")
        subject.exchanges.append(exchange)
    }

    /// Returns whether an instance may have decided about a record alone at some time of a span.
    func isTroubled(_ instance: Int, _ subject: Subject, _ span: ClosedRange<Int>) -> Bool {
        let server = scenario.ring.server(of: subject.storeKey)
        return troubles.contains {
            $0.instance == instance && ($0.server == server || $0.subject == subject.number)
                && $0.began <= span.upperBound && $0.ended >= span.lowerBound
        }
    }

    /// Determines which decisions an instance may have made alone, which is only known at the end.
    func settleTroubles() {
        for subject in subjects {
            subject.sort()
            for index in subject.admissions.indices {
                let admission = subject.admissions[index]
                let span = admission.askedAt...max(admission.askedAt, admission.time)
                subject.admissions[index].isByRule = isTroubled(admission.instance, subject, span)
            }
        }
        for (ask, time) in saidDown {
            // Parts are kept for two seconds longer.
            let first = scenario.rule == .share ? ask.time - 2_000_000 : ask.time
            let isTrue = ask.parts.contains { isTroubled(ask.instance, $0.subject, first...max(ask.time, time)) }
            if !isTrue || scenario.rule != .deny && scenario.rule != .share {
                breach("L6", "the store was said to be down without reason at \(time)")
            }
        }
    }
}

package struct Breach: Sendable {
    package let promise: String
    package let text: String
}
