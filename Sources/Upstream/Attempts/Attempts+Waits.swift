import Engine
import Shared

/// The waits of a request: for limits of its vendors, and for capacity.
extension Attempts {
    /// Whether limits of its vendors refused all calls of the request since it last waited for them, and it may wait again.
    var mayAwait: Bool {
        guard patience > 0, failures[failuresBefore...].allSatisfy({ $0.error.isOfVendorsLimit }) else { return false }
        let ends = Set(failures[failuresBefore...].map(\.candidate)).map {
            list.all[$0].restEnd(at: loop.now) ?? loop.now
        }
        // A vendor that says "in five hours" holds nobody.
        return ends.contains { $0 < loop.now + patience }
    }

    /// Waits while limits of all vendors refuse the request, in the order of arrival, and chooses a key that may be tried.
    /// Returns its candidate's index; nil if some key need not be waited for, or if none is free in time.
    func awaited() async -> Int? {
        guard let balance, let resting = open.resting(at: loop.now, balance.queue.isAwaited) else { return nil }
        let (start, end) = (loop.now, loop.now + patience)
        guard resting.end < end else { return nil }
        // A candidate that failed otherwise is tried only if no other one is back in time.
        let isOthersTurn = resting.indices.contains { !isOpen($0) && list.all[$0].restEnd(at: start) ?? start < end }
        let taken = await queued(resting.indices, until: end, in: balance.queue) {
            [self] (index) -> (Credential, HeldCapacity?)? in
            let (candidate, choice) = (list.all[index], open.choice(index))
            guard let keys = candidate.keys, keys.isAvailable(at: loop.now), !isOthersTurn || !isOpen(index) else {
                return nil
            }
            if candidate.capacity != nil {
                return await candidate.selectedKey(besides: [], choice, isTurn: true).map { ($0, $1) }
            }
            return keys.next(at: loop.now, besides: [], choice).map { ($0, nil) }
        }
        let waited = loop.now.nanoseconds(since: start)
        patience -= min(patience, waited)
        postpone(byNanoseconds: waited)
        if !Task.isCancelled {
            let provider = list.all[taken?.0 ?? resting.indices[0]].provider.name
            billing.vendorWaits.append((provider, taken == nil ? .late : .served))
        }
        guard let (index, (key, held)) = taken else {
            patience = 0
            return nil
        }
        if let held { waitedFor = (key, held) } else { repeating = key }
        return index
    }

    private func isOpen(_ index: Int) -> Bool {
        balance?.isOpen(open.breakerKey(index), at: loop.now) ?? false
    }

    /// Waits in the queue until some candidate has capacity, and returns the candidate's index. Returns nil if none
    /// has any in time.
    func waited() async -> Int? {
        guard let balance, rules.queueTime > .zero, !open.lacksStore else {
            refusal = refusal ?? open.shortage
            return nil
        }
        let end = min(loop.now + UInt64(clamping: rules.queueTime.nanoseconds), endsAt)
        let taken = await queued(open.sortedFull, until: end, in: balance.queue) {
            [self] (index) -> (Credential, HeldCapacity)? in
            let (candidate, tried) = (list.all[index], tried[index] ?? [])
            if patience > 0, candidate.restEnd(at: loop.now) != nil { return nil }
            return await candidate.selectedKey(besides: tried, open.choice(index), isTurn: true)
        }
        guard let (index, key) = taken else {
            refusal = Task.isCancelled ? .clientLeft : refusal ?? open.shortage
            return nil
        }
        waitedFor = key
        open.putBack(index)
        return index
    }

    /// Waits in the queue until `take` gets a key of one of the candidates at these indexes. Returns the index and
    /// what `take` returned; nil if no key is free in time.
    private func queued<Key>(
        _ indices: [Int],
        until end: LoopTime,
        in queue: CapacityQueue,
        _ take: (Int) async -> Key?
    ) async -> (Int, Key)? {
        let providers = Set(indices.map { list.all[$0].offeredBy })
        billing.beginCapacityWait(at: loop.now)
        defer { billing.endCapacityWait(at: loop.now) }
        return await queue.wait(for: providers, of: billing.caller?.identity, until: end, on: loop) {
            for index in indices {
                if let key = await take(index) { return (index, key) }
            }
            return nil
        }
    }

    /// Lets a request that waits for the current provider try whether it serves again.
    func wakeWaiting() {
        guard rules.isPatient, let current else { return }
        balance?.queue.freed(list.all[current].offeredBy)
    }
}
