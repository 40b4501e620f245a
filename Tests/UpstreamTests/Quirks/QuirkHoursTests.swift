import Support
import Synchronization
import Testing

@testable import Upstream

/// Plays the calls of several callers over days, and checks what the memory of quirks must never do.
@Suite struct QuirkHoursTests {
    private typealias Owner = CallQuirks.Owner

    /// A mistake that the rules must find.
    private enum Mistake: CaseIterable {
        case fastClock
        case stoppedClock
        case noSessions
        case anonymousForKnown
        case servedCalls
        case forgetsNothing
    }

    /// The callers of a shared row that were refused, and the times of the last refusal and of each session.
    private struct Row {
        var callers: Set<Owner> = []
        var since = Int.min / 2
        var sessions: [Owner: Int] = [:]
    }

    /// The facts about one call on which the rules depend, and whether the memory changed the call.
    private struct Step {
        let isMet: Bool
        let isLent: Bool
        let isOld: Bool
        let isBusy: Bool
        let isChanged: Bool

        var brokenRule: String? {
            if isChanged, !isMet, !isLent { return "a call of another caller is changed" }
            if !isChanged, isMet, !isOld || isBusy { return "the original is sent too early" }
            return isChanged && isMet && !isLent && isOld && !isBusy ? "the original is never sent" : nil
        }
    }

    private static let owners: [Owner] = [
        .known(1), .known(2), .known(3), .anonymous, .anonymous, .passThrough(1), .passThrough(2),
    ]
    private static let finding = QuirkFinding(.joinedContent)

    private static func row(of owner: Owner) -> Owner { if case .known = owner { .none } else { owner } }

    /// Returns the first rule that is broken; nil if all hold.
    private static func brokenRule(_ mistake: Mistake?) -> String? {
        let clock = Atomic(1_000_000)
        let memory = QuirkMemory(now: {
            let now = clock.load(ordering: .relaxed)
            return mistake == .stoppedClock ? 1_000_000 : mistake == .fastClock ? 2 * now : now
        })
        return play(memory, clock, mistake)
    }

    private static func play(_ memory: QuirkMemory, _ clock: borrowing Atomic<Int>, _ mistake: Mistake?) -> String? {
        var random = Seeded(23)
        var rows: [Owner: Row] = [:]
        var isRefused = true
        for _ in 0..<20_000 {
            let now = clock.add(random.below(400), ordering: .relaxed).newValue
            if random.below(200) == 0 { isRefused.toggle() }
            let owner = owners[random.below(owners.count)]
            let key = row(of: owner)
            var own = rows[key] ?? Row()
            var call = CallQuirks()
            call.owner = owner
            let isOfSession = random.below(60) == 0
            call.isOfSession = isOfSession && mistake != .noSessions
            let known = memory.known(of: "p", "m", for: call)
            var isChanged = known.sure.contains(.joinedContent)
            if !isChanged, let (finding, isDue) = known.others.first {
                isChanged = !(isDue && memory.beginTrial(of: finding, for: ModelCaller("p", "m", owner)))
            }
            let lent = rows[.none] ?? Row()
            let step = Step(
                isMet: own.callers.contains(owner) || key == .none && own.callers.count > 1,
                isLent: owner == .anonymous && lent.callers.count > 1 && now - lent.since < 3_600,
                isOld: now - own.since >= 3_600,
                isBusy: own.sessions[owner].map { now - $0 < 600 } ?? false,
                isChanged: isChanged
            )
            if let rule = step.brokenRule { return rule }
            if !isChanged, isRefused || mistake == .servedCalls && random.below(50) == 0 {
                memory.learn([finding], for: ModelCaller("p", "m", owner))
                if mistake == .anonymousForKnown, owner == .anonymous {
                    for caller in [1, 2] as [UInt64] {
                        memory.learn([finding], for: ModelCaller("p", "m", .known(caller)))
                    }
                }
                if isRefused {
                    own.callers.insert(owner)
                    own.since = now
                }
            } else if !isChanged, step.isMet {
                if mistake != .forgetsNothing { memory.forget([finding], for: ModelCaller("p", "m", owner)) }
                own.callers = []
            }
            if isOfSession { own.sessions[owner] = now }
            rows[key] = own
        }
        return nil
    }

    @Test("a quirk changes the calls of those who met it, and once an hour the original is sent") func rules() {
        #expect(Self.brokenRule(nil) == nil)
    }

    @Test("each mistake is found", arguments: Mistake.allCases) private func mistakes(mistake: Mistake) {
        #expect(Self.brokenRule(mistake) != nil)
    }

    @Test("new betas replace betas only") func betas() {
        let memory = QuirkMemory()
        memory.learn([Self.finding], for: ModelCaller("p", "m", .known(1)))
        let names = (0..<1_000).map { "beta-\($0)" }
        memory.learn([QuirkFinding(names.map { .beta($0) })], for: ModelCaller("p", "m", .known(1)))
        var call = CallQuirks()
        call.owner = .known(1)
        #expect(memory.known(of: "p", "m", for: call).sure == [.named(.joinedContent)])
        #expect(memory.refusedBetas(of: "p", "m", for: call) == Array(names.suffix(48)))
        call.owner = .known(2)
        #expect(memory.refusedBetas(of: "p", "m", for: call).isEmpty)
    }
}
