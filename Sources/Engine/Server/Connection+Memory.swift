import Synchronization

/// A connection's part of the memory budget besides its requests: itself, the part of a head that has come, requests
/// that wait for their turn, and output that its client does not take.
extension Connection: MemoryWaiter {
    /// Of a connection, whatever it does.
    static let ownBytes = 4_096
    private static let pageBytes = 4_096
    /// The bytes of a stream that wait before its output when that is full.
    private static let behindOutputBytes = 16_384

    /// A head that has not come in one piece, or what follows a request. Without memory for it reading stops.
    func chargeInput() {
        let wanted = (input.count + Self.pageBytes - 1) / Self.pageBytes * Self.pageBytes
        if wanted <= inputHeldBytes {
            share.give(inputHeldBytes - wanted)
            inputHeldBytes = wanted
        } else if !isShortOfMemory, let queue = share.take(wanted - inputHeldBytes) {
            isShortOfMemory = true
            share.desk.wait(self, for: wanted - inputHeldBytes, queue)
        } else if !isShortOfMemory {
            inputHeldBytes = wanted
        }
    }

    func tryAgain() -> Bool {
        let wanted = input.count
        guard wanted > inputHeldBytes else { return true }
        guard share.take(wanted - inputHeldBytes) == nil else { return false }
        inputHeldBytes = wanted
        return true
    }

    func memoryCame() {
        isShortOfMemory = false
        updateInterest()
    }

    func memoryDidNotCome() {
        isShortOfMemory = false
        if phase == .head { refuse(.overloaded, input.bytes) }
    }

    /// The client does not take its answer, or has taken it. It is there already, so it is counted whatever there is;
    /// a client that has the process hold too much has less time to go on.
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

    /// The longest time in which a client may take nothing of its answer.
    var stallNanoseconds: UInt64 {
        isOutputOverBudget
            ? min(MemoryBudget.patienceNanoseconds, server.bounds.writeNanoseconds) : server.bounds.writeNanoseconds
    }

    /// The connection is closed; its buffers are empty.
    func giveBackMemory() {
        if isShortOfMemory { share.desk.cancel(self) }
        isShortOfMemory = false
        chargeInput()
        if outputHeldBytes > 0 { chargeOutput() }
        share.give(Self.ownBytes)
        share.desk.leave(share)
    }
}

extension MemoryDesk {
    /// The share of the address that a connection comes from, with what a connection holds; nil: that is too much, and
    /// the connection is to be closed.
    func shareOfConnection(from peer: PeerAddress) -> MemoryShare? {
        let share = share(of: MemoryHolder.Key(peer))
        if share.take(Connection.ownBytes) == nil { return share }
        budget.refusals.add(1, ordering: .relaxed)
        leave(share)
        return nil
    }
}
