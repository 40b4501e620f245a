import Synchronization

/// The part of the memory budget that one loop manages. If memory is short, requests wait in a list of the pool.
///
/// `@unchecked`: used on its loop only, except for `init`, before the loop runs.
package final class LoopMemoryPool: TimerTarget, @unchecked Sendable {
    let budget: MemoryBudget
    let loop: EventLoop
    /// The bytes that this pool has reserved from the budget and that nothing uses yet.
    private var freeBytes = 0
    private var shares: [MemoryHolder.Key: MemoryShare] = [:]
    private var sweepAt = LoopMemoryPool.keptShares
    private var waiting: [WaitingShare] = []
    private var bodies: [ObjectIdentifier: any SlowBody] = [:]
    private let oneLoop = OneLoop()
    private lazy var timer = Timer(self)
    private lazy var second = SecondTimer(self)

    private struct WaitingShare {
        let waiter: any MemoryWaiter
        let bytes: Int
        let queue: MemoryQueue
        /// The place in a line whose members get memory in the order in which they joined; nil outside a line.
        let place: (line: MemoryQueue, ticket: Int)?
        let deadline: LoopTime
    }

    /// The interval at which waiting requests try again.
    private static let retryNanoseconds: UInt64 = 20_000_000  // Other loops do not report released memory.
    private static let keptShares = 1_024

    package init(_ budget: MemoryBudget, _ loop: EventLoop) {
        self.budget = budget
        self.loop = loop
    }

    // MARK: Small amounts

    /// Returns the `MemoryShare` of a holder (a caller or an address) on this loop. Each call needs one later call of
    /// `leave`.
    package func share(of key: MemoryHolder.Key) -> MemoryShare {
        if let share = shares[key] { return use(share) }
        if shares.count >= sweepAt { sweep() }
        let share = MemoryShare(budget.holder(key), self)
        shares[key] = share
        return share
    }

    /// Counts one more user of the share, and returns the share. Each call needs one later call of `leave`.
    func use(_ share: MemoryShare) -> MemoryShare {
        share.uses += 1
        return share
    }

    /// Removes each `MemoryShare` that nothing uses now.
    func sweep() {
        for share in shares.values where share.uses == 0 {
            shares[share.holder.key] = nil
            share.empty()
            budget.leave(share.holder)
        }
        sweepAt = max(Self.keptShares, 2 * shares.count)
    }

    /// Records that one user of the share has ended. Call this method once for each call of `share(of:)` or `use`,
    /// after the user's memory was released.
    package func leave(_ share: MemoryShare) { share.uses -= 1 }

    @inline(__always)
    fileprivate func reserve(_ count: Int) -> Bool {
        oneLoop.check()
        if freeBytes >= count {
            freeBytes -= count
            return true
        }
        return reserveMore(count)
    }

    @inline(never)
    private func reserveMore(_ count: Int) -> Bool {
        let chunk = max(count, budget.chunkBytes)
        if budget.reserve(chunk, isLarge: false) {
            freeBytes += chunk
        } else if budget.reserve(count - freeBytes, isLarge: false) {
            freeBytes = count
        } else {
            return false
        }
        freeBytes -= count
        return true
    }

    @inline(__always)
    fileprivate func give(_ count: Int) {
        oneLoop.check()
        freeBytes += count
        if freeBytes > 2 * budget.chunkBytes || !waiting.isEmpty { giveMore() }
    }

    @inline(never)
    private func giveMore() {
        let kept = waiting.isEmpty ? budget.chunkBytes : 0
        budget.give(freeBytes - kept, isLarge: false)
        freeBytes = kept
        if !waiting.isEmpty { loop.arm(timer, at: loop.now) }
    }

    // MARK: Waiting

    /// Adds a waiter to the pool's list, and adds `bytes` to the waiting bytes of `queue`. The pool then calls the
    /// waiter's `tryAgain` repeatedly, until it succeeds, the waiting time has passed, or `cancel` is called.
    /// - Parameter line: the queue in which the waiter waits until its turn; nil if it needs none.
    func wait(
        _ waiter: any MemoryWaiter,
        for bytes: Int,
        _ queue: MemoryQueue,
        in line: MemoryQueue? = nil,
        withinNanoseconds patience: UInt64 = MemoryBudget.patienceNanoseconds
    ) {
        loop.checkIsolated()
        budget.waits.add(1, ordering: .relaxed)
        queue.waits(for: bytes)
        let place = line.map { (line: $0, ticket: $0.join()) }
        let deadline = loop.now + patience
        waiting.append(WaitingShare(waiter: waiter, bytes: bytes, queue: queue, place: place, deadline: deadline))
        armRetry()
    }

    private func armRetry() {
        guard let first = waiting.first else { return }
        loop.arm(timer, at: min(loop.now + Self.retryNanoseconds, first.deadline))
    }

    func cancel(_ waiter: any MemoryWaiter) {
        guard let index = waiting.firstIndex(where: { $0.waiter === waiter }) else { return }
        let gone = waiting.remove(at: index)
        gone.queue.ended(gone.bytes)
        if let place = gone.place { place.line.leave(place.ticket) }
    }

    package func timerFired() {
        let now = loop.now
        // A waiter may come back or leave while it is called.
        for one in waiting where waiting.contains(where: { $0.waiter === one.waiter }) {
            if one.place.map({ $0.line.isNext($0.ticket) }) ?? true, one.waiter.tryAgain() {
                cancel(one.waiter)
                one.waiter.memoryGranted()
            } else if now >= one.deadline {
                cancel(one.waiter)
                budget.refusals.add(1, ordering: .relaxed)
                one.waiter.memoryTimedOut()
            }
        }
        armRetry()
    }

    // MARK: Slow bodies

    /// Registers a large body that is being received. The pool can end a slow body if memory is short.
    func watch(_ body: any SlowBody) {
        if bodies.isEmpty { loop.arm(second.timer, at: loop.now + SecondTimer.nanoseconds) }
        bodies[ObjectIdentifier(body)] = body
    }

    func forget(_ body: any SlowBody) { bodies[ObjectIdentifier(body)] = nil }

    fileprivate func secondIsOver() {
        for body in bodies.values { body.secondIsOver() }
        endSlowest(budget.queue, besides: budget.largeFreeBytes) { _ in true }
        var queues: [ObjectIdentifier: MemoryHolder] = [:]
        for body in bodies.values where body.holder.queue.waitingBytes > body.holder.freeBytes {
            queues[ObjectIdentifier(body.holder)] = body.holder
        }
        for holder in queues.values { endSlowest(holder.queue, besides: holder.freeBytes) { $0.holder === holder } }
        if !bodies.isEmpty { loop.arm(second.timer, at: loop.now + SecondTimer.nanoseconds) }
    }

    /// Ends slow request bodies, the slowest first, until their memory and what is free are enough for the requests in
    /// `queue`. Ends at least one, but none while another loop receives a slower body.
    /// - Parameter isMeant: returns whether this call is allowed to end the body.
    private func endSlowest(_ queue: MemoryQueue, besides freeBytes: Int, _ isMeant: (any SlowBody) -> Bool) {
        guard queue.waitingBytes > 0 else { return }
        var wanted = max(1, queue.waitingBytes - freeBytes)
        let slow = bodies.values.filter(isMeant)
            .compactMap { body in
                body.recentBytes.map { (body: body, pace: SlowBodyRate.pace($0, holding: body.heldBytes)) }
            }
            .filter { $0.pace < 1 }
            .sorted { $0.pace < $1.pace }
        guard let first = slow.first,
            queue.isSlowest(first.pace, of: ObjectIdentifier(loop), at: loop.now)
        else { return }
        for (body, _) in slow where wanted > 0 {
            wanted -= body.heldBytes
            forget(body)
            budget.slowBodies.add(1, ordering: .relaxed)
            body.endAsSlowest()
        }
    }
}

/// The timer that calls the memory pool once a second while large bodies are being received.
private final class SecondTimer: TimerTarget {
    static let nanoseconds: UInt64 = 1_000_000_000
    private unowned let memoryPool: LoopMemoryPool
    lazy var timer = Timer(self)

    init(_ memoryPool: LoopMemoryPool) { self.memoryPool = memoryPool }

    func timerFired() { memoryPool.secondIsOver() }
}

/// The memory that one holder (a caller or an address) uses on one loop for small requests.
package final class MemoryShare: OnLoop, @unchecked Sendable {
    let holder: MemoryHolder
    let memoryPool: LoopMemoryPool
    fileprivate var uses = 1
    private var freeBytes = 0

    fileprivate init(_ holder: MemoryHolder, _ memoryPool: LoopMemoryPool) {
        self.holder = holder
        self.memoryPool = memoryPool
    }

    /// Reserves bytes. Returns nil if this succeeded; otherwise returns the queue in which to wait.
    @inline(__always)
    func reserve(_ count: Int) -> MemoryQueue? {
        guard freeBytes >= count || reserveMore(count) else { return holder.queue }
        guard memoryPool.reserve(count) else { return memoryPool.budget.queue }
        freeBytes -= count
        return nil
    }

    @inline(never)
    private func reserveMore(_ count: Int) -> Bool {
        let chunk = max(count, memoryPool.budget.shareChunkBytes)
        if holder.reserve(chunk, isLarge: false) {
            freeBytes += chunk
        } else if holder.reserve(count - freeBytes, isLarge: false) {
            freeBytes = count
        } else {
            return false
        }
        return true
    }

    @inline(__always)
    func give(_ count: Int) {
        freeBytes += count
        let chunk = memoryPool.budget.shareChunkBytes
        if freeBytes > 2 * chunk { giveMore(chunk) }
        memoryPool.give(count)
    }

    @inline(never)
    private func giveMore(_ kept: Int) {
        holder.give(freeBytes - kept, isLarge: false)
        freeBytes = kept
    }

    fileprivate func empty() { giveMore(0) }

    /// Counts bytes that are already in use, even beyond a limit. Returns false if the limit of the holder or of the
    /// budget is exceeded.
    func force(_ count: Int) -> Bool {
        let fitsHolder = holder.force(count)
        return memoryPool.budget.force(count) && fitsHolder
    }

    func giveForced(_ count: Int) {
        holder.give(count, isLarge: false)
        memoryPool.budget.give(count, isLarge: false)
    }
}

/// A request or connection that waits for memory. The memory pool calls it on the loop.
protocol MemoryWaiter: AnyObject {
    /// Tries again to reserve the memory. Returns whether this succeeded.
    func tryAgain() -> Bool
    func memoryGranted()
    /// Called when the longest waiting time has passed without success.
    func memoryTimedOut()
}
