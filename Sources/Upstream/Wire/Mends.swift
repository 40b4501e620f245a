import Engine
import Limits
package import Shared
import Synchronization

/// Changes of a request that a vendor refuses as it is. They are learned from its refusals. Each vendor's form has bits of
/// its own below the nineteenth, from the twenty-third to the thirty-first, and above the thirty-third but for those here.
struct Mends: OptionSet, Sendable {
    let rawValue: UInt64

    // Abilities that the vendor lacks.
    static let noObjects = Mends(rawValue: 1 << 19)
    static let noSchemas = Mends(rawValue: 1 << 20)
    static let noChoices = Mends(rawValue: 1 << 21)
    /// No tool can be demanded.
    static let noForcing = Mends(rawValue: 1 << 22)
    /// Calls with tools, or all calls, take another endpoint of the vendor's.
    static let otherPathWithTools = Mends(rawValue: 1 << 32)
    static let otherPath = Mends(rawValue: 1 << 33)
    /// Pictures by their addresses.
    static let noAddresses = Mends(rawValue: 1 << 38)
    static let noTools = Mends(rawValue: 1 << 39)
    /// No tool can be demanded without its name.
    static let noRequired = Mends(rawValue: 1 << 63)
    static let ofAbilities: Mends = [
        .noObjects, .noSchemas, .noChoices, .noForcing, .noTools, .noRequired, .noAddresses, .otherPathWithTools,
        .otherPath,
    ]
}

/// The mends that servers have needed, by provider and model. Shared by all loops.
package final class MendMemory: Sendable {
    private let table = Lock(RecentTable<String, Mends>())
    private let isUsed = Atomic(false)
    /// Those that are in the log.
    private let finishes = Lock(RecentTable<String, Void>())
    private let log: Log?

    private static let mostModels = 1_000
    private static let mostFinishes = 100

    /// - Parameter log: nil: nothing is logged.
    package init(_ log: Log? = nil) { self.log = log }

    func mends(of provider: String, _ model: String) -> Mends {
        guard isUsed.load(ordering: .relaxed) else { return [] }
        return table.withLock { $0.use("\(provider)\n\(model)") } ?? []
    }

    /// Besides those that are known.
    func learn(_ mends: Mends, of provider: String, _ model: String) {
        let key = "\(provider)\n\(model)"
        isUsed.store(true, ordering: .relaxed)
        table.withLock { $0.set(key, mends.union($0.use(key) ?? []), atMost: Self.mostModels) }
    }

    /// Logs a reason for the end of an answer that this version does not know, once for each provider.
    func note(unknownFinish word: UnsafeRawBufferPointer, of provider: String) {
        guard let log else { return }
        let word = word[part: 0..<min(64, word.count)].text
        let key = "\(provider)\n\(word)"
        let isNew = finishes.withLock { known in
            if known.use(key) != nil { return false }
            known.set(key, (), atMost: Self.mostFinishes)
            return true
        }
        guard isNew else { return }
        log.warning("unknown finish reason") { line in
            line.add("provider", provider)
            line.add("reason", word)
        }
    }
}
