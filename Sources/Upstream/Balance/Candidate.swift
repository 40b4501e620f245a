package import Calls
import Engine
package import Shared

/// A provider's model that could serve a call. Looking one up consumes no turn and no capacity: the key is chosen for
/// the call.
package final class Candidate: Sendable {
    /// The provider and model as usage records, billing and the response name them.
    package let server: CallLedger.Server
    package let provider: any ChatVendor
    package let model: Model
    /// The provider's own keys; nil if callers' keys are forwarded or the provider needs none.
    let keys: KeyRing?
    /// The only key that the call can be made with; nil if `keys` chooses one.
    let fixed: Credential?
    /// The capacity limits of the provider's keys; nil if there are none.
    let capacity: Capacity?
    private let spared: Traits
    /// The keys and the circuit breaker, for calls that no `Attempts` makes; nil if the breaker is not used.
    private let lone: LoneCandidate?
    let offeredBy: Int
    let rank: ModelCatalog.Rank
    /// All candidates that may serve the call, if they are listed under different names; else empty.
    let rivals: [CallLedger.Server]
    /// The provider's record of responses that contain their usage.
    package let reports: UsageReports
    let loop: EventLoop

    init(
        server: CallLedger.Server,
        provider: any ChatVendor,
        model: Model,
        keys: KeyRing?,
        fixed: Credential?,
        capacity: Capacity? = nil,
        spared: Traits = [],
        offeredBy: Int,
        rank: ModelCatalog.Rank,
        rivals: [CallLedger.Server] = [],
        reports: UsageReports = UsageReports(),
        lone: LoneCandidate? = nil,
        loop: EventLoop
    ) {
        self.lone = lone
        self.server = server
        self.provider = provider
        self.model = model
        self.keys = keys
        self.fixed = fixed
        self.capacity = capacity
        self.spared = spared
        self.offeredBy = offeredBy
        self.rank = rank
        self.rivals = rivals
        self.reports = reports
        self.loop = loop
    }

    /// The model's name in the relay: the requested one, or that of the fallback model.
    package var name: String { server.name }
    /// The model's price; nil if it is unknown.
    package var price: Price? { server.price }
    /// Whether the provider charges credits for calls.
    package var countsCredits: Bool { server.credits != nil }

    /// Traits of chats that the settings exclude from a provider.
    package struct Traits: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let tools = Traits(rawValue: 1)
        package static let images = Traits(rawValue: 2)

        /// Makes the traits that the provider's settings exclude from it.
        package init(sparing provider: ProviderSettings) {
            self = []
            if !provider.supportsTools { insert(.tools) }
            if !provider.acceptsImages { insert(.images) }
        }
    }

    /// Whether both candidates have the same model and exclude the same chats.
    package func isLike(_ other: Candidate) -> Bool { spared == other.spared && model == other.model }

    /// Whether the settings exclude some chats from the provider.
    var isSpared: Bool { !spared.isEmpty }

    /// Throws if the settings exclude such calls from the provider. Throws also if the call contains words that only
    /// OpenAI-compatible servers may understand, and the provider does not get the original request.
    package func check(_ call: borrowing ChatCall) throws(APIError) {
        if call.hasWords, !provider.acceptsOriginal(of: call, for: model) { try call.checkOptionValues() }
        if spared.isEmpty { return }
        if spared.contains(.tools), !call.needs.isDisjoint(with: [.tools, .functions, .customTools]) {
            throw .unsupported("tools", "The provider of this model does not support tools.")
        }
        guard spared.contains(.images), let image = call.attachments.first(where: { $0.kind == .image }) else {
            return
        }
        throw .value(image.param, "the provider of this model does not support images", code: "unsupported_value")
    }

    /// Whether the call uses a key of the relay, or no key, rather than the caller's own.
    package var usesOwnKey: Bool { fixed?.label != nil || fixed == nil }

    /// Whether no other key could be used for the call.
    var hasOneKey: Bool { fixed != nil || keys?.isSingle ?? true }

    var breakerKey: Balance.BreakerKey { Balance.BreakerKey(provider: offeredBy, model: model.id) }

    /// Whether some key is not in cooldown.
    var hasAvailableKey: Bool { fixed != nil || keys?.isAvailable(at: loop.now) ?? true }

    /// Takes the next key, waiting for its capacity if the provider has a limit, and returns the call.
    package func call(billing callLedger: CallLedger) async throws(UpstreamError) -> VendorCall {
        guard let capacity else { return unboundedCall(billing: callLedger) }
        let (credential, held) = try await capacity.acquire(ofKeys: keys, or: fixed, on: loop)
        callLedger.hold(held)
        return call(with: credential, billing: callLedger)
    }

    /// Takes the next key and returns the call, without acquiring capacity: for a candidate without a limit.
    package func unboundedCall(billing callLedger: CallLedger) -> VendorCall {
        let credential = fixed ?? keys?.next(at: loop.now) ?? .none
        guard let lone else { return call(with: credential, billing: callLedger) }
        callLedger.server = server
        return VendorCall(credential, billing: callLedger, on: loop, with: lone, within: capacity)
    }

    func call(with credential: Credential, billing callLedger: CallLedger) -> VendorCall {
        callLedger.server = server
        return VendorCall(credential, billing: callLedger, on: loop, with: keys, within: capacity)
    }

    /// Takes the first key that has capacity, in the order of `choice`. Returns nil if no key has capacity, other
    /// requests wait for it, or there is no limit.
    ///
    /// - Parameter isTurn: whether all requests that waited before have been served, so that the queue is not checked.
    func selectedKey(
        besides tried: Set<String> = [],
        _ choice: KeyChoice = KeyChoice(),
        isTurn: Bool = false
    ) async -> (Credential, HeldCapacity)? {
        await capacity?.acquireNow(ofKeys: keys, or: fixed, besides: tried, choice, isTurn: isTurn, on: loop)
    }

    /// Returns whether the keys have no capacity, as far as this instance knows.
    func isKnownFull(besides tried: Set<String> = []) -> Bool {
        guard let capacity else { return false }
        if capacity.isAwaited { return true }
        let all = fixed.map { [$0] } ?? keys.map { $0.order(at: loop.now, besides: tried) } ?? [.none]
        return !all.isEmpty && all.allSatisfy(capacity.isKnownFull)
    }

    // The abilities of the provider besides chat; each is nil if the provider does not have it.
    package var images: (any ImageProvider)? { provider as? any ImageProvider }
    package var speech: (any SpeechProvider)? { provider as? any SpeechProvider }
    package var transcription: (any TranscriptionProvider)? { provider as? any TranscriptionProvider }
    package var forwarder: (any Forwarder)? { provider as? any Forwarder }
    package var files: (any FileProvider)? { provider as? any FileProvider }
    package var assetUploader: (any AssetUploader)? { provider as? any AssetUploader }

    /// Returns the candidate bound to the key that a file was uploaded with; nil if the provider has no such key for
    /// this caller.
    package func reading(_ file: StoredFile) -> Candidate? {
        guard file.provider == provider.name, let credential = file.credential(fixed, keys) else { return nil }
        return fixed == nil && keys != nil ? with(credential) : self
    }

    /// Returns the candidate bound to a key.
    func with(_ credential: Credential) -> Candidate { with(credential, rank, rivals) }

    func with(priority: Int) -> Candidate {
        var rank = rank
        rank.priority = priority
        return with(fixed, rank, rivals)
    }

    /// Returns the candidate with all candidates for its call, which have different names.
    func with(rivals: [CallLedger.Server]) -> Candidate { with(fixed, rank, rivals) }

    private func with(_ fixed: Credential?, _ rank: ModelCatalog.Rank, _ rivals: [CallLedger.Server]) -> Candidate {
        Candidate(
            server: server,
            provider: provider,
            model: model,
            keys: keys,
            fixed: fixed,
            capacity: capacity,
            spared: spared,
            offeredBy: offeredBy,
            rank: rank,
            rivals: rivals,
            reports: reports,
            lone: lone,
            loop: loop
        )
    }
}

/// The keys and the circuit breaker of the only candidate of a request, whose calls are not made by `Attempts`.
///
/// The breaker keeps no call back, but an operator sees it.
final class LoneCandidate: KeyCooldowns {
    private let keys: KeyRing?
    private let balance: Balance
    private let breakerKey: Balance.BreakerKey

    init(_ keys: KeyRing?, _ balance: Balance, breakerKey: Balance.BreakerKey) {
        self.keys = keys
        self.balance = balance
        self.breakerKey = breakerKey
    }

    func served(_ credential: Credential, begun: LoopTime) {
        keys?.served(credential, begun: begun)
        balance.served(breakerKey)
    }

    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime) {
        keys?.failed(credential, error, begun: begun, at: now)
        if error.isOfProvider { balance.conclude(breakerKey, error, at: now) }
    }
}
