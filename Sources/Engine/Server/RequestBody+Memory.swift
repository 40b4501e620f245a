/// A request's part of the memory budget. A small request is charged once, when its caller is known; a large one (64 KB
/// and more) as its body comes, twice its bytes: the body, and what is read from it.
extension RequestBody {
    /// Beside the body: the connection's and the request's objects, its task, the vendor's call, buffers of a stream.
    static let requestBytes = 16_384
    /// The memory of a body that passes through in pieces: here, in a form's reader, before and in libcurl.
    static let windowBytes = 65_536
    private static let stepBytes = 262_144
    /// A body whose length is declared and at most this gets all of its room at once, so that it is not moved as it grows.
    private static let roomBytes = 1_048_576

    /// Its length says so.
    package var isLarge: Bool { (declaredBytes ?? 0) >= MemoryBudget.smallBytes }

    private var desk: MemoryDesk { peerShare.desk }

    private var chargeBytes: Int {
        Self.requestBytes + headBytes + min(declaredBytes ?? Self.unwantedBytes, Self.unwantedBytes)
    }

    // MARK: Once the caller is known

    /// Charges the request to its holder; nil: to the address that it came from. False: `chargeLater`.
    package func charge(_ key: MemoryHolder.Key?) -> Bool {
        if share == nil {
            let isPeer = key == nil || key == peerShare.holder.key
            share = isPeer ? desk.use(peerShare) : desk.share(of: key ?? peerShare.holder.key)
        }
        return takeCharge() == nil
    }

    private func takeCharge() -> MemoryQueue? {
        guard let share else { return nil }
        let bytes = chargeBytes
        if isLarge { return held(by: share).take(bytes) }
        if let short = share.take(bytes) { return short }
        smallHeldBytes = bytes
        return nil
    }

    /// Waits for what `charge` could not have.
    package func chargeLater() async throws(RequestError) { try await wait(for: chargeBytes) { self.takeCharge() } }

    /// Waits until `bytes` more are held, for as long as the request lasts or until `giveBack`. 413: they can never be.
    package func hold(_ bytes: Int) async throws(RequestError) {
        let hold = held(by: share ?? peerShare)
        guard hold.isBearable(hold.bytes + bytes) else { throw .bodyTooLargeForMemory }
        guard hold.take(bytes) != nil else { return }
        try await wait(for: bytes) { hold.take(bytes) }
    }

    /// Frees what `hold` took.
    package func giveBack(_ bytes: Int) { hold?.give(bytes) }

    /// The body is not needed any more, nor what was read from it.
    package func giveBackLarge() { hold?.giveAll() }

    /// The hold of a large body, for work that may outlive the request.
    package var largeHold: MemoryHold? { hold }

    private func held(by share: MemoryShare) -> MemoryHold {
        if let hold { return hold }
        let new = MemoryHold(share.holder, desk.budget)
        hold = new
        return new
    }

    private func wait(for bytes: Int, _ take: @escaping () -> MemoryQueue?) async throws(RequestError) {
        if await MemoryWait(take).comes(to: desk, bytes) { return }
        throw Task.isCancelled ? .clientLeft : .overloaded
    }

    /// All is given back; the handler has returned.
    func requestEnds() {
        watchEnds()
        release()
        source = nil
        if let share {
            if smallHeldBytes > 0 { share.give(smallHeldBytes) }
            smallHeldBytes = 0
            desk.leave(share)
            self.share = nil
        }
        hold = nil
    }

    // MARK: While the body comes

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

    /// The room that is made with the first step, which takes memory for half of it twice; 0: as the body grows.
    private var firstRoomBytes: Int { declaredBytes.map { $0 <= Self.roomBytes ? $0 : 0 } ?? 0 }

    /// Takes memory for what comes next of a body that is collected, or has the reading stop until that is there.
    func cover() {
        let step = stepWanted
        guard step > 0, failure == nil, !isShortOfMemory else { return }
        let hold = held(by: share ?? peerShare)
        if case .some(let queue) = takeStep(hold) {
            isShortOfMemory = true
            desk.wait(self, for: 2 * step, queue)
        }
        watch()
    }

    /// It may have to end for others.
    func watch() {
        guard !isComplete, failure == nil else { return }
        _ = held(by: share ?? peerShare)
        desk.watch(self)
    }

    private func takeStep(_ hold: MemoryHold) -> MemoryQueue? {
        let step = stepWanted
        // The first step is also for what came before it.
        let isFirst = isFirstStep
        let bytes = 2 * step + (isFirst ? Self.unwantedBytes : 0)
        if let short = hold.take(bytes) { return short }
        coveredBytes += step
        if isFirst { makeRoom(for: firstRoomBytes) }
        return nil
    }

    /// The body has come, or will not.
    func watchEnds() {
        guard hold != nil else { return }
        desk.forget(self)
        if isShortOfMemory { desk.cancel(self) }
        isShortOfMemory = false
    }
}

extension RequestBody: MemoryWaiter {
    func tryAgain() -> Bool {
        guard let hold else { return true }
        return takeStep(hold) == nil
    }

    func memoryCame() {
        isShortOfMemory = false
        source?.bodyIsWanted()
    }

    func memoryDidNotCome() {
        isShortOfMemory = false
        fail(.overloaded)
    }
}

extension RequestBody: SlowBody {
    var holder: MemoryHolder { (share ?? peerShare).holder }
    var heldBytes: Int { hold?.bytes ?? 0 }
    var recentBytes: Int? { slowPace.recent }
    func secondIsOver() { slowPace.secondIsOver(isRead: wantsMore) }
    func endAsSlowest() { fail(.bodyTooSlowForOthers) }
}

/// A task's wait for memory.
///
/// `@unchecked`: used on its loop only.
private final class MemoryWait: MemoryWaiter, @unchecked Sendable {
    private let take: () -> MemoryQueue?
    private let waiter = Waiter()
    private var outcome: Bool?

    init(_ take: @escaping () -> MemoryQueue?) { self.take = take }

    func comes(to desk: MemoryDesk, _ bytes: Int) async -> Bool {
        guard let queue = take() else { return true }
        desk.wait(self, for: bytes, queue)
        while outcome == nil, !Task.isCancelled { await waiter.wait() }
        desk.cancel(self)
        return outcome ?? false
    }

    func tryAgain() -> Bool { take() == nil }

    func memoryCame() {
        outcome = true
        waiter.wake()
    }

    func memoryDidNotCome() {
        outcome = false
        waiter.wake()
    }
}

extension RequestError {
    package static var overloaded: RequestError {
        RequestError(503, "The relay is out of memory for requests. Try again soon.")
    }

    static var bodyTooSlowForOthers: RequestError {
        RequestError(408, "The request body arrives too slowly while others wait for memory.")
    }
}

extension RequestBody: WorkOwner {
    var workOwner: MemoryHolder.Key { holder.key }
}
