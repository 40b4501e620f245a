import Engine
import Limits
import Synchronization

/// The queue of upstream calls, from all event loops, that wait for capacity of their providers.
///
/// Callers take turns: one call of each, then the second of each, and so on. Calls of one caller are served in the order
/// of their arrival. Calls of requests that already hold a slot come first.
package final class CapacityQueue: Sendable {
    private let tickets = Lock<[Ticket]>([])
    private let count = Atomic(0)

    private static let most = 1_000
    /// The longest time between two checks for free capacity, in nanoseconds.
    private static let lookNanoseconds: UInt64 = 100_000_000

    package init() {}

    package var waiting: Int { count.load(ordering: .relaxed) }

    /// Returns whether some call waits for the provider and can use any of its keys.
    func isAwaited(_ provider: Int) -> Bool { isAwaited(provider, nil) }

    /// Returns whether a request that already has a slot is waiting for this key of the provider.
    func isAwaited(_ provider: Int, by credential: Credential) -> Bool {
        waiting > 0 && isAwaited(provider, credential.account)
    }

    private func isAwaited(_ provider: Int, _ account: Digest?) -> Bool {
        guard waiting > 0 else { return false }
        return tickets.withLock { $0.contains { $0.account == account && $0.providers.contains(provider) } }
    }

    /// Waits in the queue until `emit` has acquired capacity, and returns the value of `emit`. Returns nil if the time
    /// is up, the queue is full, or the task is cancelled.
    /// - Parameters:
    ///   - credential: the only key that the call can use, because its request holds a slot of the key; otherwise nil.
    ///   - caller: the caller of the request; nil for anonymous callers, who share one turn.
    ///   - emit: tries to acquire capacity; returns nil if no capacity is free. Called only if it is the call's turn.
    func wait<Value>(
        for providers: Set<Int>,
        with credential: Credential? = nil,
        of caller: Identity? = nil,
        until end: LoopTime,
        on loop: EventLoop,
        _ emit: () async -> Value?
    ) async -> Value? {
        guard loop.now < end, let ticket = join(Ticket(providers, credential?.account, caller, loop: loop)) else {
            return nil
        }
        defer { leave(ticket) }
        while !Task.isCancelled, loop.now < end {
            ticket.waiter.isWoken = false
            if isFirst(ticket), let value = await emit() { return value }
            // Only a regular check finds capacity that another instance has freed.
            await ticket.waiter.wait(until: min(end, loop.now + Self.lookNanoseconds))
        }
        return nil
    }

    private func join(_ ticket: Ticket) -> Ticket? {
        tickets.withLock { tickets in
            guard tickets.count < Self.most else { return nil }
            let isBound = ticket.account != nil
            if !isBound {
                let present = tickets.first { $0.account == nil }?.round ?? 0
                let own = tickets.last { $0.account == nil && $0.caller == ticket.caller }?.round
                ticket.round = own.map { $0 + 1 } ?? present
            }
            let next = tickets.firstIndex { $0.account == nil && (isBound || $0.round > ticket.round) }
            tickets.insert(ticket, at: next ?? tickets.endIndex)
            count.store(tickets.count, ordering: .relaxed)
            return ticket
        }
    }

    private func leave(_ ticket: Ticket) {
        let next = tickets.withLock { tickets in
            tickets.removeAll { $0 === ticket }
            count.store(tickets.count, ordering: .relaxed)
            return Self.first(in: tickets, of: ticket.providers)
        }
        for ticket in next { ticket.waiter.wake() }
    }

    /// Wakes the waiting calls that are next for this provider, because the provider has free capacity again.
    func freed(_ provider: Int) {
        guard waiting > 0 else { return }
        for ticket in tickets.withLock({ Self.first(in: $0, of: [provider]) }) { ticket.waiter.wake() }
    }

    private func isFirst(_ ticket: Ticket) -> Bool {
        tickets.withLock { tickets in
            for other in tickets {
                if other === ticket { return true }
                // A call without a slot is not stopped by one that waits for a single key: `emit` checks this itself.
                guard other.account == ticket.account else { continue }
                if !other.providers.isDisjoint(with: ticket.providers) { return false }
            }
            return false
        }
    }

    /// Returns the tickets of the calls to wake: for each provider, the first call that can use any key, and all calls
    /// before it.
    private static func first(in tickets: [Ticket], of providers: Set<Int>) -> [Ticket] {
        var open = providers
        var first: [Ticket] = []
        for ticket in tickets where !open.isDisjoint(with: ticket.providers) {
            first.append(ticket)
            guard ticket.account == nil else { continue }
            open.subtract(ticket.providers)
            if open.isEmpty { break }
        }
        return first
    }
}

/// The ticket of one upstream call that waits in the queue for capacity.
///
/// `@unchecked`: `round` is used only while the queue's lock is held.
private final class Ticket: @unchecked Sendable {
    let providers: Set<Int>
    /// The digest of the only key that the waiting call can use; nil if it can use any key.
    let account: Digest?
    /// The caller of the request; nil for anonymous callers.
    let caller: Identity?
    /// The number of the round in which it is the call's turn.
    var round = 0
    /// The waiter that is woken to check for free capacity.
    let waiter: RemoteWaiter

    init(_ providers: Set<Int>, _ account: Digest?, _ caller: Identity?, loop: EventLoop) {
        self.providers = providers
        self.account = account
        self.caller = caller
        waiter = RemoteWaiter(loop)
    }
}
