/// The memory that a request uses. A large request (64 KB and more) reserves twice the size of its body.
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
    /// - Parameter inLine: whether the request waits until its turn among the caller's requests that reserve the memory
    ///   of their whole bodies. Those that have it must not wait in line for more, because the line waits for them.
    package func hold(_ bytes: Int, inLine: Bool = false) async throws(RequestError) {
        let reservation = held(by: share ?? peerShare)
        guard reservation.fitsBudget(reservation.bytes + bytes) else { throw .bodyTooLargeForMemory }
        try await wait(for: bytes, in: inLine ? holder.queue : nil) { reservation.reserve(bytes) }
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

    private func wait(
        for bytes: Int,
        in line: MemoryQueue? = nil,
        _ reserve: @escaping () -> MemoryQueue?
    ) async throws(RequestError) {
        guard let short = line.map({ $0.isNext(nil) ? reserve() : $0 }) ?? reserve() else { return }
        waitStart = memoryPool.loop.now
        defer { waitEnds() }
        if await MemoryWait(reserve).isGranted(by: memoryPool, bytes, short, line, patienceNanoseconds) { return }
        throw Task.isCancelled ? .clientLeft : .overloaded
    }

    /// Subtracts a wait for memory that has ended from the time that the request may still wait for memory.
    private func waitEnds() {
        guard let start = waitStart.take() else { return }
        patienceNanoseconds -= min(patienceNanoseconds, memoryPool.loop.now.nanoseconds(since: start))
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

    /// The next bytes of the body for which memory is reserved: all of them if their number is known. Bodies that hold
    /// the memory for a part, and wait for the rest, could all wait for each other.
    private var stepWanted: Int {
        guard case .whole(let limitBytes) = reading else { return 0 }
        if let declaredBytes { return max(0, declaredBytes - coveredBytes) }
        return max(0, min(Self.stepBytes, limitBytes + Self.unwantedBytes - coveredBytes))
    }

    private var isFirstStep: Bool { coveredBytes == Self.unwantedBytes }

    /// The memory for the next step: twice its bytes. The first step also covers what arrived before it.
    private var stepBytes: Int {
        let bytes = 2 * stepWanted + (isFirstStep ? Self.unwantedBytes : 0)
        let quarterBytes = memoryPool.budget.quarterBytes
        // The largest body that the settings allow must fit beside other requests of its caller, also those that wait.
        guard let declaredBytes, declaredBytes <= quarterBytes / 2 else { return bytes }
        return max(0, min(bytes, quarterBytes / 8 * 7 - heldBytes))
    }

    /// The line of the caller's bodies that reserve much memory at once; nil for a short body, which need not wait for
    /// larger ones, and for one of unknown length.
    private var line: MemoryQueue? { declaredBytes ?? 0 > Self.roomBytes ? holder.queue : nil }

    /// The size of the buffer that is reserved when the body begins to arrive; 0 if the buffer grows with the body.
    private var firstRoomBytes: Int { declaredBytes.map { $0 <= Self.roomBytes ? $0 : 0 } ?? 0 }

    /// Reserves memory for the next bytes of a body that is collected whole. If memory is short, queues the body.
    func reserveReceived() {
        guard stepWanted > 0, failure == nil, !isShortOfMemory else { return }
        let reservation = held(by: share ?? peerShare)
        let isNext = line?.isNext(nil) ?? true
        if let queue = isNext ? reserveStep(reservation) : line {
            isShortOfMemory = true
            waitStart = memoryPool.loop.now
            memoryPool.wait(self, for: stepBytes, queue, in: line, withinNanoseconds: patienceNanoseconds)
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
        let isFirst = isFirstStep
        if let short = reservation.reserve(stepBytes) { return short }
        coveredBytes += stepWanted
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
        waitEnds()
        source?.bodyIsWanted()
    }

    func memoryTimedOut() {
        isShortOfMemory = false
        waitEnds()
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

    func isGranted(
        by memoryPool: LoopMemoryPool,
        _ bytes: Int,
        _ queue: MemoryQueue,
        _ line: MemoryQueue?,
        _ patienceNanoseconds: UInt64
    ) async -> Bool {
        memoryPool.wait(self, for: bytes, queue, in: line, withinNanoseconds: patienceNanoseconds)
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
