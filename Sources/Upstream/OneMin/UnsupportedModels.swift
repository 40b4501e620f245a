import Calls
import Engine
import Limits
import Synchronization

/// The models that the vendor refuses as unsupported, by provider and feature. They are not called for a minute.
///
/// A refusal of a caller's own key applies to that key only. All loops share one table.
package final class UnsupportedModels: Sendable {
    private struct Refusal: Hashable {
        let provider: String
        let use: OneMinUse
        /// The account of the caller's own key; nil for the provider's keys.
        let account: Digest?
    }

    /// The times at which refusals expire.
    private let refusals = Lock(RecentTable<Refusal, LoopTime>())
    private let callersRefusals = Lock(RecentTable<Refusal, LoopTime>())
    private let areKnown = Atomic<Bool>(false)
    private let learned = Lock<(@Sendable () -> Void)?>(nil)

    private static let seconds = 60
    private static let keptRefusals = 4_096

    package init() {}

    /// Sets the function that is called when a call with one of the relay's own keys was refused.
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
    /// The account of a caller's own key; nil for one of the relay's keys.
    fileprivate var callersAccount: Digest? { label == nil ? account : nil }
}
