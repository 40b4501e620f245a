package import Engine
import Limits

/// A cache in the memory of the process, shared by all loops. The least recently used entry is removed first.
package final class MemoryCache: Sendable {
    /// The limits of a cache: the largest number of entries, and their largest total size in bytes.
    package struct Bounds: Sendable {
        let entries: Int
        let bytes: Int

        package init(entries: Int, bytes: Int) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    /// The model, the caller and the bodies of a cached response, for the operator's list of cached responses.
    package struct Label: Sendable {
        let model: String?
        let caller: String?
        let bodies: KeptBodies?

        /// Creates the label of a response. `bodies` is nil if bodies are not kept.
        package init(model: String?, caller: String?, bodies: KeptBodies?) {
            self.model = model
            self.caller = caller
            self.bodies = bodies
        }
    }

    private struct Entry {
        let response: Body
        let endsAt: LoopTime
        let label: Label?
        let number: Int
        /// The time at which the entry was created, in milliseconds since 1970.
        let createdAt: Int
        var usedAt: Int
        var hits = 0
        var bytes: Int { response.bytes.count + MemoryCache.overheadBytes }
    }

    private struct Partition {
        var entries = RecentTable<Digest, Entry>()
        var bytes = 0
        /// The number of entries that were ever added, including removed entries.
        var added = 0
        /// The memory that is reserved in the process's memory budget for all entries.
        var reservation: MemoryReservation?

        mutating func remove(_ key: Digest) { if let entry = entries.remove(key) { bytes -= entry.bytes } }

        /// Removes the least recently used entry. Returns false if there is no entry.
        mutating func removeLeastRecentlyUsed() -> Bool {
            guard let old = entries.leastRecentlyUsed else { return false }
            remove(old.key)
            return true
        }
    }

    private let responseCache = Lock(Partition())
    private let budget: MemoryBudget
    /// The memory that an entry needs in addition to its response, in bytes.
    package static let overheadBytes = 448

    package init(_ budget: MemoryBudget) { self.budget = budget }

    package func response(_ key: Digest, at now: LoopTime) -> Body? {
        responseCache.withLock { responseCache in
            guard var entry = responseCache.entries.use(key) else { return nil }
            if entry.endsAt > now {
                guard entry.label != nil else { return entry.response }
                entry.hits += 1
                entry.usedAt = Timestamp.now()
                responseCache.entries.set(key, entry)
                return entry.response
            }
            responseCache.remove(key)
            return nil
        }
    }

    /// Adds or replaces a response. A response that exceeds the bounds or the memory budget is not kept.
    /// - Parameter label: nil if the response is not shown in the operator's list.
    package func add(_ response: Body, _ key: Digest, until end: LoopTime, within bounds: Bounds, label: Label? = nil) {
        let now = label == nil ? 0 : Timestamp.now()
        responseCache.withLock { responseCache in
            responseCache.remove(key)
            responseCache.added += 1
            let entry = Entry(
                response: response,
                endsAt: end,
                label: label,
                number: responseCache.added,
                createdAt: now,
                usedAt: now
            )
            guard entry.bytes <= bounds.bytes else { return }
            while responseCache.entries.count >= bounds.entries || responseCache.bytes + entry.bytes > bounds.bytes,
                responseCache.removeLeastRecentlyUsed()
            {}
            while !budget.covers(responseCache.bytes + entry.bytes, &responseCache.reservation) {
                guard responseCache.removeLeastRecentlyUsed() else { return }
            }
            responseCache.entries.set(key, entry)
            responseCache.bytes += entry.bytes
        }
    }

    package func removeAll() {
        responseCache.withLock { responseCache in
            let added = responseCache.added
            responseCache = Partition()
            responseCache.added = added
        }
    }

    // MARK: For an operator

    /// A cached response, as the operator's list of cached responses shows it.
    package struct Listed: Sendable {
        package let key: Digest
        /// The sequence number of the entry, counted since the start of the process.
        package let number: Int
        package let bytes: Int
        package let hits: Int
        /// The time at which the response was cached, in milliseconds since 1970.
        package let createdAt: Int
        package let usedAt: Int
        package let model: String?
        package let caller: String?
        /// The bodies of the request and its response; nil if bodies are not kept.
        package let bodies: KeptBodies?

        /// The name of the response in the operator's list: the first 32 hexadecimal digits of its key.
        package var name: String { key.hexadecimal(bytes: 16) }
    }

    /// Returns the cached responses that have a label, for the operator's list: newest first, without expired ones.
    package func listed(at now: LoopTime) -> [Listed] {
        let entries = responseCache.withLock { responseCache in
            var entries: [(key: Digest, entry: Entry)] = []
            responseCache.entries.forEachPair { key, entry in entries.append((key, entry)) }
            return entries
        }
        return entries.filter { $0.entry.endsAt > now && $0.entry.label != nil }
            .map { key, entry in
                Listed(
                    key: key,
                    number: entry.number,
                    bytes: entry.bytes,
                    hits: entry.hits,
                    createdAt: entry.createdAt,
                    usedAt: entry.usedAt,
                    model: entry.label?.model,
                    caller: entry.label?.caller,
                    bodies: entry.label?.bodies
                )
            }
            .sorted { $0.number > $1.number }
    }

    /// Removes the responses with these keys. Returns the number of responses that were removed.
    package func remove(_ keys: [Digest]) -> Int {
        responseCache.withLock { responseCache in
            let before = responseCache.entries.count
            for key in keys { responseCache.remove(key) }
            return before - responseCache.entries.count
        }
    }

    package var size: (entries: Int, bytes: Int) { responseCache.withLock { ($0.entries.count, $0.bytes) } }
}
