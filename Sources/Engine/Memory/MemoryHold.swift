import Synchronization

/// The memory of one large request or answer. It is given back with the last reference, on any thread.
package final class MemoryHold: Sendable {
    /// Nil: nobody's in particular.
    let holder: MemoryHolder?
    private let budget: MemoryBudget
    private let held = Atomic<Int>(0)

    init(_ holder: MemoryHolder?, _ budget: MemoryBudget) {
        self.holder = holder
        self.budget = budget
    }

    deinit { giveAll() }

    package var bytes: Int { held.load(ordering: .relaxed) }

    /// Nil: it is taken; else what is short.
    func take(_ count: Int) -> MemoryQueue? {
        if let holder, !holder.take(count, isLarge: true) { return holder.queue }
        guard budget.take(count, isLarge: true) else {
            holder?.give(count, isLarge: true)
            return budget.queue
        }
        held.add(count, ordering: .relaxed)
        return nil
    }

    /// More can never be had.
    func isBearable(_ count: Int) -> Bool { count <= min(budget.quarterBytes, budget.largeBytes) }

    func give(_ count: Int) {
        let given = min(count, bytes)
        held.subtract(given, ordering: .relaxed)
        holder?.give(given, isLarge: true)
        budget.give(given, isLarge: true)
    }

    func giveAll() { give(bytes) }
}

extension MemoryBudget {
    /// Makes `hold` cover so much of an answer, or of a history, that is kept. False: there is no memory for it. Short ones
    /// are part of what each request has.
    package func covers(_ answerBytes: Int, _ hold: inout MemoryHold?) -> Bool {
        guard answerBytes > Self.smallBytes else { return true }
        let held = hold ?? MemoryHold(nil, self)
        hold = held
        let missing = answerBytes - held.bytes
        return missing <= 0 || held.take(max(missing, Self.answerStepBytes)) == nil || held.take(missing) == nil
    }

    private static let answerStepBytes = 262_144
}

/// A large body that is being read.
protocol SlowBody: AnyObject {
    var holder: MemoryHolder { get }
    var heldBytes: Int { get }
    /// The bytes received in the last five seconds; nil: it was not read all that time.
    var recentBytes: Int? { get }
    func secondIsOver()
    /// It ends for others, which wait.
    func endAsSlowest()
}

/// The bytes of a body in each of the last five seconds in which it was read.
struct SlowBodyPace {
    /// 100 KB/s over five seconds; what is slower ends when others wait.
    static let leastBytes = 512_000
    private var slots = InlineArray<5, Int>(repeating: 0)
    private var slot = 0
    private var seconds = 0

    mutating func count(_ bytes: Int) { slots[slot] += bytes }

    /// `isRead`: it was wanted all that second.
    mutating func secondIsOver(isRead: Bool) {
        guard isRead else {
            self = SlowBodyPace()
            return
        }
        recent = seconds >= 4 ? sum : nil
        seconds = min(seconds + 1, 5)
        slot = (slot + 1) % 5
        slots[slot] = 0
    }

    /// Nil: five seconds are not over.
    private(set) var recent: Int?

    private var sum: Int {
        var sum = 0
        for index in 0..<5 { sum += slots[index] }
        return sum
    }
}
