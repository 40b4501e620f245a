import Synchronization

/// A connection's part of the memory budget, apart from its requests: the connection itself, an incomplete head,
/// pipelined requests, and output that the client has not received.
extension Connection: MemoryWaiter {
    /// The bytes that every connection reserves.
    static let ownBytes = 4_096
    private static let pageBytes = 4_096
    /// The bytes of a stream that may wait behind a full output.
    private static let behindOutputBytes = 16_384

    /// Reserves memory for an incomplete head, or for data that follows a request. If there is no memory, reading
    /// stops.
    func chargeInput() {
        let wanted = (input.count + Self.pageBytes - 1) / Self.pageBytes * Self.pageBytes
        if wanted <= inputHeldBytes {
            share.give(inputHeldBytes - wanted)
            inputHeldBytes = wanted
        } else if !isShortOfMemory, let queue = share.reserve(wanted - inputHeldBytes) {
            isShortOfMemory = true
            share.memoryPool.wait(self, for: wanted - inputHeldBytes, queue)
        } else if !isShortOfMemory {
            inputHeldBytes = wanted
        }
    }

    func tryAgain() -> Bool {
        let wanted = input.count
        guard wanted > inputHeldBytes else { return true }
        guard share.reserve(wanted - inputHeldBytes) == nil else { return false }
        inputHeldBytes = wanted
        return true
    }

    func memoryGranted() {
        isShortOfMemory = false
        updateInterest()
    }

    func memoryTimedOut() {
        isShortOfMemory = false
        if phase == .head { refuse(.overloaded, input.bytes) }
    }

    /// Reserves memory for output that the client does not receive, or releases it. The output exists already, so it is
    /// always counted. If the budget is exceeded, the client has less time to continue.
    func chargeOutput() {
        let holder = body?.share ?? share
        if outputHeldBytes > 0 {
            outputHolder?.giveForced(outputHeldBytes)
            outputHeldBytes = 0
            outputHolder = nil
            isOutputOverBudget = false
        }
        guard !output.isEmpty else { return }
        outputHeldBytes = output.count + Self.behindOutputBytes
        outputHolder = holder
        isOutputOverBudget = !holder.force(outputHeldBytes)
    }

    /// The longest time in which a client may receive nothing of its response.
    var stallNanoseconds: UInt64 {
        isOutputOverBudget
            ? min(MemoryBudget.patienceNanoseconds, server.bounds.writeNanoseconds) : server.bounds.writeNanoseconds
    }

    /// Releases the memory of a closed connection, whose buffers are empty.
    func giveBackMemory() {
        if isShortOfMemory { share.memoryPool.cancel(self) }
        isShortOfMemory = false
        chargeInput()
        if outputHeldBytes > 0 { chargeOutput() }
        share.give(Self.ownBytes)
        share.memoryPool.leave(share)
    }
}

extension LoopMemoryPool {
    /// Returns the share of a connection's address, with the memory of a connection reserved. Returns nil if there is
    /// no memory, so that the connection must be closed.
    func shareOfConnection(from peer: PeerAddress) -> MemoryShare? {
        let share = share(of: MemoryHolder.Key(peer))
        if share.reserve(Connection.ownBytes) == nil { return share }
        budget.refusals.add(1, ordering: .relaxed)
        leave(share)
        return nil
    }
}
