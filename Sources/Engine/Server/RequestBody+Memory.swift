/// A request's part of the memory budget. A small request is charged once, when its caller is known. A large one (64 KB
/// and more) is charged as its body arrives, with twice its bytes: for the body, and for the values that are read from
/// it.
extension RequestBody {
    /// The memory of a request apart from its body: objects of connection and request, its task, the vendor's call,
    /// buffers of a stream.
    static let requestBytes = 16_384
    /// The memory of a body that passes through in chunks: here, in a form's reader, and in and before libcurl.
    static let windowBytes = 65_536
    private static let stepBytes = 262_144
    /// The largest declared body for which all buffer space is reserved at once, so that it is not moved as it grows.
    private static let roomBytes = 1_048_576

    /// Whether the declared length makes this a large body.
    package var isLarge: Bool { (declaredBytes ?? 0) >= MemoryBudget.smallBytes }

    private var memoryPool: LoopMemoryPool { peerShare.memoryPool }

    private var chargeBytes: Int {
        Self.requestBytes + headBytes + min(declaredBytes ?? Self.unwantedBytes, Self.unwantedBytes)
    }

    // MARK: With a known caller

    /// Charges the request to a holder. Returns false if there is no memory; then call `chargeLater`.
    ///
    /// - Parameter key: the holder's key; nil for the address that the request came from.
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

    /// Waits for the memory that `charge` did not get.
    package func chargeLater() async throws(RequestError) { try await wait(for: chargeBytes) { self.reserveCharge() } }

    /// Waits until `bytes` more are reserved, for the duration of the request or until `giveBack`. Throws status 413 if
    /// they can never be reserved.
    package func hold(_ bytes: Int) async throws(RequestError) {
        let reservation = held(by: share ?? peerShare)
        guard reservation.fitsBudget(reservation.bytes + bytes) else { throw .bodyTooLargeForMemory }
        guard reservation.reserve(bytes) != nil else { return }
        try await wait(for: bytes) { reservation.reserve(bytes) }
    }

    /// Releases memory that `reservation` reserved.
    package func giveBack(_ bytes: Int) { reservation?.give(bytes) }

    /// Releases the memory of the body and of the values read from it, which are not needed any more.
    package func giveBackLarge() { reservation?.giveAll() }

    /// The reserved memory of a large body, for work that may outlive the request; nil if there is none.
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

    /// Releases everything after the handler has returned.
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

    /// The buffer space that is reserved with the first step, which covers half of it twice; 0 if the buffer grows with
    /// the body.
    private var firstRoomBytes: Int { declaredBytes.map { $0 <= Self.roomBytes ? $0 : 0 } ?? 0 }

    /// Reserves memory for the next part of a collected body. If there is none, reading stops until there is.
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

    /// Registers the body with the memory pool, which may end it if other requests need memory.
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

    /// Unregisters the body, which has arrived or will not arrive.
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

/// The wait of a task for memory.
///
/// `@unchecked`: used on its loop only.
private final class MemoryWait: MemoryWaiter, @unchecked Sendable {
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
