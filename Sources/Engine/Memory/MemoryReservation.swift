import Synchronization

/// The memory reserved for one large request or response. It is released when the last reference to this object ends,
/// on any thread.
package final class MemoryReservation: Sendable {
    /// The holder (a caller or an address) of this memory; nil if only the budget counts the memory.
    let holder: MemoryHolder?
    private let budget: MemoryBudget
    private let held = Atomic<Int>(0)

    init(_ holder: MemoryHolder?, _ budget: MemoryBudget) {
        self.holder = holder
        self.budget = budget
    }

    deinit { giveAll() }

    package var bytes: Int { held.load(ordering: .relaxed) }

    /// Reserves more bytes. Returns nil if this succeeded; otherwise returns the queue in which to wait.
    func reserve(_ count: Int) -> MemoryQueue? {
        if let holder, !holder.reserve(count, isLarge: true) { return holder.queue }
        guard budget.reserve(count, isLarge: true) else {
            holder?.give(count, isLarge: true)
            return budget.queue
        }
        held.add(count, ordering: .relaxed)
        return nil
    }

    /// Returns whether `count` bytes could be reserved if nothing else used memory.
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
    /// Makes `reservation` large enough for a response of `responseBytes` bytes. Returns false if memory is short.
    /// Does nothing for a response of at most 64 KB.
    package func covers(_ responseBytes: Int, _ reservation: inout MemoryReservation?) -> Bool {
        guard responseBytes > Self.smallBytes else { return true }
        let held = reservation ?? MemoryReservation(nil, self)
        reservation = held
        let missing = responseBytes - held.bytes
        return missing <= 0 || held.reserve(max(missing, Self.responseStepBytes)) == nil || held.reserve(missing) == nil
    }

    private static let responseStepBytes = 262_144
}

/// A large request body that is being received.
protocol SlowBody: AnyObject {
    var holder: MemoryHolder { get }
    var heldBytes: Int { get }
    /// The number of bytes received in the last five seconds; nil unless the body was read all this time, or for two
    /// seconds in which nothing arrived.
    var recentBytes: Int? { get }
    func secondIsOver()
    /// Ends the body, because it is slow and other requests wait for its memory.
    func endAsSlowest()
}

/// A record of how many bytes of a body arrived in each of the last five seconds.
struct SlowBodyRate {
    /// The number of bytes received in five seconds below which any body is slow (100 KB/s).
    private static let minBytes = 512_000
    private var slots = InlineArray<5, Int>(repeating: 0)
    private var slot = 0
    private var seconds = 0

    mutating func count(_ bytes: Int) { slots[slot] += bytes }

    /// Ends the byte count of the current second.
    /// - Parameter isRead: whether the relay read the body during the whole second; if false, all counts are reset.
    mutating func secondIsOver(isRead: Bool) {
        guard isRead else {
            self = SlowBodyRate()
            return
        }
        let isSilent = seconds >= 1 && slots[slot] == 0 && slots[(slot + 4) % 5] == 0
        recent = seconds >= 4 || isSilent ? sum : nil
        seconds = min(seconds + 1, 5)
        slot = (slot + 1) % 5
        slots[slot] = 0
    }

    /// Returns the pace of a body as a fraction of the least that it must keep: 100 KB/s, or what brings the body for
    /// which memory is reserved in 20 s, as a large reservation must not last for minutes. Below 1, the body is slow.
    static func pace(_ recentBytes: Int, holding heldBytes: Int) -> Double {
        // The memory is twice the body, and a quarter of the body must come in five seconds.
        Double(recentBytes) / Double(max(minBytes, heldBytes / 8))
    }

    /// The number of bytes that arrived in the last five seconds; nil if bytes were counted for a shorter time, unless
    /// nothing arrived in the last two.
    private(set) var recent: Int?

    private var sum: Int {
        var sum = 0
        for index in 0..<5 { sum += slots[index] }
        return sum
    }
}
