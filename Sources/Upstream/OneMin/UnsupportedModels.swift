import Engine
import Limits
import Synchronization

/// Remembers for a minute that 1min.ai refused a model as unsupported. Can be used on any thread.
///
/// A refusal applies to one feature of one provider, and with a passthrough key to that key only.
package final class UnsupportedModels: Sendable {
    private struct Refusal: Hashable {
        let provider: String
        let use: OneMinUse
        /// The account of the passthrough key; nil if a key of the provider was used.
        let account: Digest?
    }

    /// The refusals of models in calls without a passthrough key, each with the time at which it expires.
    private let refusals = Lock(RecentTable<Refusal, LoopTime>())
    private let callersRefusals = Lock(RecentTable<Refusal, LoopTime>())
    private let areKnown = Atomic<Bool>(false)
    private let learned = Lock<(@Sendable () -> Void)?>(nil)

    private static let seconds = 60
    private static let keptRefusals = 4_096

    package init() {}

    /// Sets the function that is called when 1min.ai refuses a model for a provider's key, not for a passthrough key.
    package func setRefusalHandler(_ act: @escaping @Sendable () -> Void) { learned.withLock { $0 = act } }

    func refuses(_ use: OneMinUse, of provider: String, _ credential: Credential, at now: LoopTime) -> Bool {
        guard areKnown.load(ordering: .relaxed) else { return false }
        let refusal = Refusal(provider: provider, use: use, account: credential.callersAccount)
        return table(refusal).withLock { $0.use(refusal) }.map { now < $0 } ?? false
    }

    func learn(_ use: OneMinUse, of provider: String, _ credential: Credential, at now: LoopTime) {
        let refusal = Refusal(provider: provider, use: use, account: credential.callersAccount)
        table(refusal).withLock { $0.set(refusal, now.adding(seconds: Self.seconds), atMost: Self.keptRefusals) }
        areKnown.store(true, ordering: .relaxed)
        if refusal.account == nil { learned.withLock { $0 }?() }
    }

    private func table(_ refusal: Refusal) -> Lock<RecentTable<Refusal, LoopTime>> {
        refusal.account == nil ? refusals : callersRefusals
    }
}

extension Credential {
    /// The account of a passthrough key; nil for a key of the provider.
    fileprivate var callersAccount: Digest? { label == nil ? account : nil }
}
