import Synchronization

/// The memory that a connection uses in addition to the memory of its requests.
extension Connection: MemoryWaiter {
    /// The number of bytes that each connection reserves for its own objects.
    static let ownBytes = 4_096
    private static let pageBytes = 4_096
    /// The number of bytes that `chargeOutput` counts in addition to the unsent output.
    private static let behindOutputBytes = 16_384  // Other buffers can hold this much of the same response.

    /// Adjusts the reserved memory to the size of the received bytes that are not parsed yet.
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

    /// Updates the memory that is counted for unsent output. Counts nothing if all output was sent.
    func chargeOutput() {
        // The output already exists, so it is counted even if this exceeds the budget.
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

    /// The time after which a connection closes if the client receives no more of its response.
    var stallNanoseconds: UInt64 {
        isOutputOverBudget
            ? min(MemoryBudget.patienceNanoseconds, server.bounds.writeNanoseconds) : server.bounds.writeNanoseconds
    }

    /// Releases the memory of a closed connection. The connection must have emptied its buffers before.
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
    /// Reserves the memory for a new connection, and returns the `MemoryShare` of its address; nil if memory is short.
    func shareOfConnection(from peer: PeerAddress) -> MemoryShare? {
        let share = share(of: MemoryHolder.Key(peer))
        if share.reserve(Connection.ownBytes) == nil { return share }
        budget.refusals.add(1, ordering: .relaxed)
        leave(share)
        return nil
    }
}
