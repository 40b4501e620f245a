import Calls
import Engine
import Limits
import Synchronization

/// The calls that wait for capacity, of all loops: of two that wait for the same provider, the one that came first is
/// served first. A request that has a place waits for its own key only, and comes before all others for that.
package final class CapacityQueue: Sendable {
    private let tickets = Lock<[Ticket]>([])
    private let count = Atomic(0)

    private static let most = 1_000
    /// Within it, capacity is seen that other instances freed.
    private static let lookNanoseconds: UInt64 = 100_000_000

    package init() {}

    package var waiting: Int { count.load(ordering: .relaxed) }

    /// Somebody waits for whichever key of the provider.
    func isAwaited(_ provider: Int) -> Bool { isAwaited(provider, nil) }

    /// A request that has a place waits for this key of it.
    func isAwaited(_ provider: Int, by credential: Credential) -> Bool {
        waiting > 0 && isAwaited(provider, credential.account)
    }

    private func isAwaited(_ provider: Int, _ account: Digest?) -> Bool {
        guard waiting > 0 else { return false }
        return tickets.withLock { $0.contains { $0.account == account && $0.providers.contains(provider) } }
    }

    /// Waits until `take` has something, which is asked only when it is this call's turn; nil: the time is up, too many
    /// wait, or nobody waits for the call any more.
    ///
    /// - Parameters:
    ///   - providers: whose capacity would serve.
    ///   - credential: the only key that serves, of a request that has a place already; nil: it has none.
    func wait<Value>(
        for providers: Set<Int>,
        with credential: Credential? = nil,
        until end: LoopTime,
        on loop: EventLoop,
        _ take: () async -> Value?
    ) async -> Value? {
        guard loop.now < end, let ticket = join(providers, credential?.account, loop) else { return nil }
        defer { leave(ticket) }
        while !Task.isCancelled, loop.now < end {
            ticket.isCalled = false
            if isFirst(ticket), let value = await take() { return value }
            await ticket.wait(until: min(end, loop.now + Self.lookNanoseconds))
        }
        return nil
    }

    private func join(_ providers: Set<Int>, _ account: Digest?, _ loop: EventLoop) -> Ticket? {
        let ticket = Ticket(providers, account, loop)
        return tickets.withLock { tickets in
            guard tickets.count < Self.most else { return nil }
            let next = account == nil ? nil : tickets.firstIndex { $0.account == nil }
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
        for ticket in next { ticket.call() }
    }

    /// Capacity of the provider is free.
    func freed(_ provider: Int) {
        guard waiting > 0 else { return }
        for ticket in tickets.withLock({ Self.first(in: $0, of: [provider]) }) { ticket.call() }
    }

    private func isFirst(_ ticket: Ticket) -> Bool {
        tickets.withLock { tickets in
            for other in tickets {
                if other === ticket { return true }
                // The others see for themselves that a key is awaited.
                guard other.account == ticket.account else { continue }
                if !other.providers.isDisjoint(with: ticket.providers) { return false }
            }
            return false
        }
    }

    /// Of each of the providers, whoever has waited longest, and those that wait for one key.
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

/// One call that waits.
///
/// `@unchecked`: but for `call`, used on its loop only.
private final class Ticket: TimerTarget, @unchecked Sendable {
    let providers: Set<Int>
    /// Of the only key that serves; nil: any of its providers' may.
    let account: Digest?
    /// It is to look again.
    var isCalled = false
    private let loop: EventLoop
    private let waiter = Waiter()
    private lazy var timer = Timer(self)

    init(_ providers: Set<Int>, _ account: Digest?, _ loop: EventLoop) {
        self.providers = providers
        self.account = account
        self.loop = loop
    }

    func wait(until end: LoopTime) async {
        if isCalled { return }
        loop.arm(timer, at: end)
        await waiter.wait()
        loop.remove(timer)
    }

    /// On any thread.
    func call() { loop.call { self.timerFired() } }

    func timerFired() {
        isCalled = true
        waiter.wake()
    }
}
