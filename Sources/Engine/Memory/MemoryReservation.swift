import Synchronization

/// The reserved memory of one large request or response. The last reference releases it, on any thread.
package final class MemoryReservation: Sendable {
    /// The holder that the memory counts for; nil if it counts for none.
    let holder: MemoryHolder?
    private let budget: MemoryBudget
    private let held = Atomic<Int>(0)

    init(_ holder: MemoryHolder?, _ budget: MemoryBudget) {
        self.holder = holder
        self.budget = budget
    }

    deinit { giveAll() }

    package var bytes: Int { held.load(ordering: .relaxed) }

    /// Reserves bytes. Returns nil if they were reserved; otherwise returns the queue in which to wait for memory.
    func reserve(_ count: Int) -> MemoryQueue? {
        if let holder, !holder.reserve(count, isLarge: true) { return holder.queue }
        guard budget.reserve(count, isLarge: true) else {
            holder?.give(count, isLarge: true)
            return budget.queue
        }
        held.add(count, ordering: .relaxed)
        return nil
    }

    /// Returns whether `count` bytes could ever be reserved.
    func fitsBudget(_ count: Int) -> Bool { count <= min(budget.quarterBytes, budget.largeBytes) }

    func give(_ count: Int) {
        let given = min(count, bytes)
        held.subtract(given, ordering: .relaxed)
        holder?.give(given, isLarge: true)
        budget.give(given, isLarge: true)
    }

    func giveAll() { give(bytes) }
}

extension MemoryBudget {
    /// Makes `reservation` cover so many bytes of a response, or of a history, that is kept. Returns false if there is
    /// no memory. Short ones are part of what each request reserves anyway.
    package func covers(_ responseBytes: Int, _ reservation: inout MemoryReservation?) -> Bool {
        guard responseBytes > Self.smallBytes else { return true }
        let held = reservation ?? MemoryReservation(nil, self)
        reservation = held
        let missing = responseBytes - held.bytes
        return missing <= 0 || held.reserve(max(missing, Self.responseStepBytes)) == nil || held.reserve(missing) == nil
    }

    private static let responseStepBytes = 262_144
}

/// A large body that is being received.
protocol SlowBody: AnyObject {
    var holder: MemoryHolder { get }
    var heldBytes: Int { get }
    /// The bytes received in the last five seconds; nil if the body was not read during all of them.
    var recentBytes: Int? { get }
    func secondIsOver()
    /// Ends the body, because other requests wait for memory.
    func endAsSlowest()
}

/// The bytes of a body in each of the last five seconds in which it was read.
struct SlowBodyRate {
    /// The fewest bytes in five seconds (100 KB/s). A slower body ends if others wait for memory.
    static let minBytes = 512_000
    private var slots = InlineArray<5, Int>(repeating: 0)
    private var slot = 0
    private var seconds = 0

    mutating func count(_ bytes: Int) { slots[slot] += bytes }

    /// Ends a second.
    ///
    /// - Parameter isRead: whether the body was read during the whole second.
    mutating func secondIsOver(isRead: Bool) {
        guard isRead else {
            self = SlowBodyRate()
            return
        }
        recent = seconds >= 4 ? sum : nil
        seconds = min(seconds + 1, 5)
        slot = (slot + 1) % 5
        slots[slot] = 0
    }

    /// The bytes of the last five seconds; nil if it was read for less.
    private(set) var recent: Int?

    private var sum: Int {
        var sum = 0
        for index in 0..<5 { sum += slots[index] }
        return sum
    }
}
