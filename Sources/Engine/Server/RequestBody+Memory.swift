/// The memory that a request uses. A large request (64 KB and more) reserves twice the size of its body, in steps.
extension RequestBody {
    /// The memory of a request without its body, in bytes.
    static let requestBytes = 16_384
    /// The number of bytes that a large body reserves if the handler reads the body in chunks.
    static let windowBytes = 65_536
    private static let stepBytes = 262_144
    /// The largest `Content-Length` for which the whole buffer is reserved at the start.
    private static let roomBytes = 1_048_576

    /// Whether the `Content-Length` is so large that the request counts as large (64 KB and more).
    package var isLarge: Bool { (declaredBytes ?? 0) >= MemoryBudget.smallBytes }

    private var memoryPool: LoopMemoryPool { peerShare.memoryPool }

    private var chargeBytes: Int {
        Self.requestBytes + headBytes + min(declaredBytes ?? Self.unwantedBytes, Self.unwantedBytes)
    }

    // MARK: With a known caller

    /// Reserves the memory of the request. Returns false if memory is short; call `chargeLater` then.
    /// - Parameter key: the key of the holder whose limit applies; nil for the client's address.
    package func charge(_ key: MemoryHolder.Key?) -> Bool {
        if share == nil {
            let isPeer = key == nil || key == peerShare.holder.key
            share = isPeer ? memoryPool.use(peerShare) : memoryPool.share(of: key ?? peerShare.holder.key)
        }
        return reserveCharge() == nil
    }

    private func reserveCharge() -> MemoryQueue? {
        guard let share else { return nil }
        let bytes = chargeBytes
        if isLarge { return held(by: share).reserve(bytes) }
        if let short = share.reserve(bytes) { return short }
        smallHeldBytes = bytes
        return nil
    }

    /// Waits for the memory that `charge` could not reserve. Throws if the wait takes too long.
    package func chargeLater() async throws(RequestError) { try await wait(for: chargeBytes) { self.reserveCharge() } }

    /// Reserves `bytes` more bytes until `giveBack` or the end of the request. Waits if memory is short. Throws an
    /// error with status 413 if the memory limits are too small, and with status 503 if the wait takes too long.
    package func hold(_ bytes: Int) async throws(RequestError) {
        let reservation = held(by: share ?? peerShare)
        guard reservation.fitsBudget(reservation.bytes + bytes) else { throw .bodyTooLargeForMemory }
        guard reservation.reserve(bytes) != nil else { return }
        try await wait(for: bytes) { reservation.reserve(bytes) }
    }

    /// Gives back `bytes` bytes of the memory that was reserved for a large body or by a call of `hold`.
    package func giveBack(_ bytes: Int) { reservation?.give(bytes) }

    /// Releases the memory of a large body and its parsed values. Call it when nothing needs them.
    package func giveBackLarge() { reservation?.giveAll() }

    /// The reservation of the memory for a large body and of the bytes that `hold(_:)` reserves; nil if there is none.
    /// Code that uses the body after the request has ended must keep a reference to the reservation.
    package var largeHold: MemoryReservation? { reservation }

    private func held(by share: MemoryShare) -> MemoryReservation {
        if let reservation { return reservation }
        let new = MemoryReservation(share.holder, memoryPool.budget)
        reservation = new
        return new
    }

    private func wait(for bytes: Int, _ reserve: @escaping () -> MemoryQueue?) async throws(RequestError) {
        if await MemoryWait(reserve).comes(to: memoryPool, bytes) { return }
        throw Task.isCancelled ? .clientLeft : .overloaded
    }

    /// Releases all memory of the request. Called after the handler has returned.
    func requestEnds() {
        watchEnds()
        release()
        source = nil
        if let share {
            if smallHeldBytes > 0 { share.give(smallHeldBytes) }
            smallHeldBytes = 0
            memoryPool.leave(share)
            self.share = nil
        }
        reservation = nil
    }

    // MARK: While the body arrives

    private var stepWanted: Int {
        let most: Int
        switch reading {
        case .whole(let limitBytes): most = declaredBytes ?? limitBytes + Self.unwantedBytes
        case .unwanted, .pieces: most = 0
        }
        let step = max(Self.stepBytes, isFirstStep ? firstRoomBytes / 2 - coveredBytes : 0)
        return max(0, min(step, most - coveredBytes))
    }

    private var isFirstStep: Bool { coveredBytes == Self.unwantedBytes }

    /// The size of the buffer that is reserved when the body begins to arrive; 0 if the buffer grows with the body.
    private var firstRoomBytes: Int { declaredBytes.map { $0 <= Self.roomBytes ? $0 : 0 } ?? 0 }

    /// Reserves memory for the next bytes of a body that is collected whole. If memory is short, queues the body.
    func reserveReceived() {
        let step = stepWanted
        guard step > 0, failure == nil, !isShortOfMemory else { return }
        let reservation = held(by: share ?? peerShare)
        if case .some(let queue) = reserveStep(reservation) {
            isShortOfMemory = true
            memoryPool.wait(self, for: 2 * step, queue)
        }
        watch()
    }

    /// Registers the body with the memory pool, which can end a slow body.
    func watch() {
        guard !isComplete, failure == nil else { return }
        _ = held(by: share ?? peerShare)
        memoryPool.watch(self)
    }

    private func reserveStep(_ reservation: MemoryReservation) -> MemoryQueue? {
        let step = stepWanted
        // The first step also covers what arrived before it.
        let isFirst = isFirstStep
        let bytes = 2 * step + (isFirst ? Self.unwantedBytes : 0)
        if let short = reservation.reserve(bytes) { return short }
        coveredBytes += step
        if isFirst { makeRoom(for: firstRoomBytes) }
        return nil
    }

    /// Ends the memory pool's watch over the body, and the body's wait for memory. Call it when no more of the body is
    /// read.
    func watchEnds() {
        guard reservation != nil else { return }
        memoryPool.forget(self)
        if isShortOfMemory { memoryPool.cancel(self) }
        isShortOfMemory = false
    }
}

extension RequestBody: MemoryWaiter {
    func tryAgain() -> Bool {
        guard let reservation else { return true }
        return reserveStep(reservation) == nil
    }

    func memoryGranted() {
        isShortOfMemory = false
        source?.bodyIsWanted()
    }

    func memoryTimedOut() {
        isShortOfMemory = false
        fail(.overloaded)
    }
}

extension RequestBody: SlowBody {
    var holder: MemoryHolder { (share ?? peerShare).holder }
    var heldBytes: Int { reservation?.bytes ?? 0 }
    var recentBytes: Int? { slowPace.recent }
    func secondIsOver() { slowPace.secondIsOver(isRead: wantsMore) }
    func endAsSlowest() { fail(.bodyTooSlowForOthers) }
}

/// The state of a task that waits for memory.
private final class MemoryWait: MemoryWaiter, OnLoop, @unchecked Sendable {
    private let reserve: () -> MemoryQueue?
    private let waiter = Waiter()
    private var outcome: Bool?

    init(_ reserve: @escaping () -> MemoryQueue?) { self.reserve = reserve }

    func comes(to memoryPool: LoopMemoryPool, _ bytes: Int) async -> Bool {
        guard let queue = reserve() else { return true }
        memoryPool.wait(self, for: bytes, queue)
        while outcome == nil, !Task.isCancelled { await waiter.wait() }
        memoryPool.cancel(self)
        return outcome ?? false
    }

    func tryAgain() -> Bool { reserve() == nil }

    func memoryGranted() {
        outcome = true
        waiter.wake()
    }

    func memoryTimedOut() {
        outcome = false
        waiter.wake()
    }
}

extension RequestError {
    package static var overloaded: RequestError {
        RequestError(503, "The relay is out of memory for requests. Try again in a moment.")
    }

    static var bodyTooSlowForOthers: RequestError {
        RequestError(408, "The request body arrives too slowly while other requests wait for memory.")
    }
}

extension RequestBody: WorkOwner {
    var workOwner: MemoryHolder.Key { holder.key }
}
