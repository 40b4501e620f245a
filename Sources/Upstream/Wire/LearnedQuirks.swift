import Engine
import Limits
package import Shared
import Synchronization

/// Quirks of a model at a provider: changes of a request that the model needs.
///
/// Each vendor defines its own quirks in bits that are not used here.
struct LearnedQuirks: OptionSet, Sendable {
    let rawValue: UInt64

    // Abilities that the vendor lacks.
    static let noObjects = LearnedQuirks(rawValue: 1 << 19)
    static let noSchemas = LearnedQuirks(rawValue: 1 << 20)
    static let noChoices = LearnedQuirks(rawValue: 1 << 21)
    /// The model cannot be forced to call a tool with `tool_choice`.
    static let noForcing = LearnedQuirks(rawValue: 1 << 22)
    /// The model needs the Responses API for requests with tools. With the quirk `otherPath`, all requests need it.
    static let otherPathWithTools = LearnedQuirks(rawValue: 1 << 32)
    static let otherPath = LearnedQuirks(rawValue: 1 << 33)
    /// The vendor does not download images from URLs, so the relay must send their data.
    static let noAddresses = LearnedQuirks(rawValue: 1 << 38)
    static let noTools = LearnedQuirks(rawValue: 1 << 39)
    /// The model can be forced to call a named tool, but not with `tool_choice: "required"`.
    static let noRequired = LearnedQuirks(rawValue: 1 << 63)
    /// The vendor does not compact conversations.
    static let noCompaction = LearnedQuirks(rawValue: 1 << 23)
    /// The vendor refuses its option or tool for web search.
    static let noSearch = LearnedQuirks(rawValue: 1 << 31)
    static let ofAbilities: LearnedQuirks = [
        .noObjects, .noSchemas, .noChoices, .noForcing, .noTools, .noRequired, .noAddresses, .otherPathWithTools,
        .otherPath, .noCompaction, .noSearch,
    ]
}

/// Remembers the quirks of each model at each provider. Can be used on any thread.
package final class QuirkMemory: Sendable {
    private let table = Lock(RecentTable<String, LearnedQuirks>())
    private let isUsed = Atomic(false)
    /// The betas that each model at each provider does not know.
    private let betas = Lock(RecentTable<String, [String]>())
    /// The unknown finish reasons that were already logged, by provider.
    private let finishes = Lock(RecentTable<String, Void>())
    private let log: Log?

    private static let maxModels = 1_000
    private static let maxBetas = 64
    private static let maxFinishes = 100

    /// Creates an empty memory.
    ///
    /// - Parameter log: the log for unknown finish reasons; nil to log none.
    package init(_ log: Log? = nil) { self.log = log }

    func quirks(of provider: String, _ model: String) -> LearnedQuirks {
        guard isUsed.load(ordering: .relaxed) else { return [] }
        return table.withLock { $0.use("\(provider)\n\(model)") } ?? []
    }

    /// Adds quirks to those that are already known for the model.
    func learn(_ quirks: LearnedQuirks, of provider: String, _ model: String) {
        let key = "\(provider)\n\(model)"
        isUsed.store(true, ordering: .relaxed)
        table.withLock { $0.set(key, quirks.union($0.use(key) ?? []), atMost: Self.maxModels) }
    }

    func refusedBetas(of provider: String, _ model: String) -> [String] {
        betas.withLock { $0.use("\(provider)\n\(model)") } ?? []
    }

    /// Adds betas to those that the model's server is known to refuse.
    func learn(refusedBetas names: [String], of provider: String, _ model: String) {
        let key = "\(provider)\n\(model)"
        betas.withLock { betas in
            let known = betas.use(key) ?? []
            let new = names.filter { !known.contains($0) }
            betas.set(key, Array((known + new).suffix(Self.maxBetas)), atMost: Self.maxModels)
        }
    }

    /// Logs an unknown finish reason, once for each provider and reason.
    func record(unknownFinish word: UnsafeRawBufferPointer, of provider: String) {
        guard let log else { return }
        let word = word[part: 0..<min(64, word.count)].text
        let key = "\(provider)\n\(word)"
        let isNew = finishes.withLock { known in
            if known.use(key) != nil { return false }
            known.set(key, (), atMost: Self.maxFinishes)
            return true
        }
        guard isNew else { return }
        log.warning("unknown finish reason") { line in
            line.add("provider", provider)
            line.add("reason", word)
        }
    }
}
