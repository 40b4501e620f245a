package import Engine
package import Shared

/// A provider's model that can serve a request. Its calls take a key and capacity; the candidate itself takes none.
package final class Candidate: Sendable {
    /// The names of the provider and the model, and the model's prices. Usage records, billing and responses use them.
    package let server: Billing.Server
    package let provider: any ChatVendor
    package let model: Model
    /// The keys from the provider's settings; nil if the relay forwards callers' keys or the provider needs no key.
    let keys: KeyRing?
    /// The only key for the call; nil if any key of `keys` can be used.
    let fixed: Credential?
    /// The capacity limits of the provider's keys; nil if the settings contain no such limits.
    let capacity: Capacity?
    private let excludedTraits: Traits
    /// The circuit breakers that the outcomes of calls from `unboundedCall(billing:)` change; nil if there are none.
    private let balance: Balance?
    let offeredBy: Int
    let rank: ModelCatalog.Rank
    /// The models and prices of all candidates for the call; empty if the request names a model.
    let allServers: [Billing.Server]
    /// The statistics that show whether the provider reports usage.
    package let reports: UsageReports
    let loop: EventLoop

    init(
        server: Billing.Server,
        provider: any ChatVendor,
        model: Model,
        keys: KeyRing?,
        fixed: Credential?,
        capacity: Capacity? = nil,
        excludedTraits: Traits = [],
        offeredBy: Int,
        rank: ModelCatalog.Rank,
        allServers: [Billing.Server] = [],
        reports: UsageReports = UsageReports(),
        balance: Balance? = nil,
        loop: EventLoop
    ) {
        self.balance = balance
        self.server = server
        self.provider = provider
        self.model = model
        self.keys = keys
        self.fixed = fixed
        self.capacity = capacity
        self.excludedTraits = excludedTraits
        self.offeredBy = offeredBy
        self.rank = rank
        self.allServers = allServers
        self.reports = reports
        self.loop = loop
    }

    /// The relay's name of the model that serves the call: the requested model, its replacement or the fallback model.
    package var name: String { server.name }
    /// The model's price; nil if it is unknown.
    package var price: Price? { server.price }
    /// Whether the provider charges credits for calls.
    package var countsCredits: Bool { server.credits != nil }

    /// The traits of a chat that a provider's settings can exclude: tools and images.
    package struct Traits: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let tools = Traits(rawValue: 1)
        package static let images = Traits(rawValue: 2)

        /// Creates the set of traits that a provider's settings exclude: tools, images, both or none.
        package init(excludedBy provider: ProviderSettings) {
            self = []
            if !provider.supportsTools { insert(.tools) }
            if !provider.acceptsImages { insert(.images) }
        }
    }

    /// Checks whether this candidate can serve the chat, and sets the caller for whom quirks are remembered, and the
    /// quirks that the call ignores to find out whether they still hold.
    /// - Throws: an error if the settings exclude the chat, or the provider might not understand an option's value.
    package func begin(_ call: inout ChatCall, for caller: Caller) throws(APIError) {
        try check(call)
        call.quirks.owner = CallQuirks.Owner(caller)
        if call.quirks.learned.isEmpty { call.quirks.tried = provider.beginTrials(of: call, at: model) }
    }

    /// Returns whether both candidates have the same model, and their settings exclude the same traits (tools, images).
    package func isLike(_ other: Candidate) -> Bool { excludedTraits == other.excludedTraits && model == other.model }

    /// Whether the provider's settings exclude chats with tools or chats with images.
    var excludesSomeCalls: Bool { !excludedTraits.isEmpty }

    /// Checks whether this candidate can serve the chat.
    /// - Throws: an error if the settings exclude the chat, or the provider might not understand an option's value.
    package func check(_ call: borrowing ChatCall) throws(APIError) {
        if call.hasWords, !provider.acceptsOriginal(of: call, for: model) { try call.checkOptionValues() }
        if excludedTraits.isEmpty { return }
        if excludedTraits.contains(.tools), !call.needs.isDisjoint(with: [.tools, .functions, .customTools]) {
            throw .unsupported("tools", "The provider of this model does not support tools.")
        }
        guard excludedTraits.contains(.images), let image = call.attachments.first(where: { $0.kind == .image }) else {
            return
        }
        throw .value(image.param, "the provider of this model does not support images", code: "unsupported_value")
    }

    /// Whether the call needs no key of the settings, or only the one that has a file.
    var hasOwnWay: Bool { fixed != nil || keys == nil }

    /// Whether the relay calls the provider with its own key or with no key; false for a caller's key.
    package var usesOwnKey: Bool { fixed?.label != nil || fixed == nil }

    /// Whether the candidate has exactly one key for the call, or needs no key.
    var hasOneKey: Bool { fixed != nil || keys?.isSingle ?? true }

    var breakerKey: Balance.BreakerKey { Balance.BreakerKey(provider: offeredBy, model: model.id) }

    /// Whether some key of the provider is not in cooldown.
    var hasAvailableKey: Bool { fixed != nil || keys?.isAvailable(at: loop.now) ?? true }

    /// The end of the cooldown of the provider's keys that ends first; nil if a key of the settings is not in cooldown or
    /// needs none.
    func restEnd(at now: LoopTime) -> LoopTime? {
        guard fixed == nil, let keys, !keys.isAvailable(at: now) else { return nil }
        return keys.soonestEnd
    }

    /// Takes the next key and returns a call with it. Waits until the key has capacity.
    package func call(billing: Billing) async throws(UpstreamError) -> Attempt {
        guard let capacity else { return unboundedCall(billing: billing) }
        let (credential, held) = try await capacity.acquire(ofKeys: keys, or: fixed, on: loop)
        billing.hold(held)
        return call(with: credential, billing: billing)
    }

    /// Takes the next key and returns the only call of a request. Only for a candidate without a capacity limit.
    ///
    /// The candidate itself records the outcome of the call, in its key ring and its circuit breaker.
    package func unboundedCall(billing: Billing) -> Attempt {
        billing.server = server
        let credential = fixed ?? keys?.next(at: loop.now) ?? .none
        return Attempt(credential, billing: billing, on: loop, with: self, within: capacity)
    }

    func call(with credential: Credential, billing: Billing) -> Attempt {
        billing.server = server
        return Attempt(credential, billing: billing, on: loop, with: keys, within: capacity)
    }

    /// Finds the first key with free capacity and acquires its capacity for one call. `choice` decides the order of the
    /// keys.
    ///
    /// Returns nil if no key has free capacity, if other requests wait for it, or if the provider has no capacity
    /// limit.
    /// - Parameter isTurn: whether this request is the first in the queue for capacity.
    func selectedKey(
        besides tried: Set<String> = [],
        _ choice: KeyChoice = KeyChoice(),
        isTurn: Bool = false
    ) async -> (Credential, HeldCapacity)? {
        await capacity?.acquireNow(ofKeys: keys, or: fixed, besides: tried, choice, isTurn: isTurn, on: loop)
    }

    /// Whether no key seems to have free capacity, or other requests wait for it, as far as this instance
    /// knows.
    var isKnownFull: Bool {
        guard let capacity else { return false }
        if capacity.isAwaited { return true }
        let all = fixed.map { [$0] } ?? keys.map { $0.order(at: loop.now, besides: []) } ?? [.none]
        return !all.isEmpty && all.allSatisfy(capacity.isKnownFull)
    }

    // The abilities of the provider besides chat; each is nil if the provider does not have it.
    package var images: (any ImageProvider)? { provider as? any ImageProvider }
    package var speech: (any SpeechProvider)? { provider as? any SpeechProvider }
    package var transcription: (any TranscriptionProvider)? { provider as? any TranscriptionProvider }
    package func forwarder(_ endpoint: ForwardedEndpoint) -> (any Forwarder)? {
        (provider as? any Forwarder).flatMap { $0.forwards(endpoint) ? $0 : nil }
    }
    package var files: (any FileProvider)? { provider as? any FileProvider }
    package var assetUploader: (any AssetUploader)? { provider as? any AssetUploader }

    /// Returns this candidate, limited to the key that uploaded the file. Returns nil if the file is stored at another
    /// provider, or if the candidate cannot use the key.
    package func reading(_ file: StoredFile) -> Candidate? {
        guard file.provider == provider.name, let credential = file.credential(fixed, keys) else { return nil }
        return fixed == nil && keys != nil ? with(credential) : self
    }

    /// Returns whether the file was uploaded with another key of the provider than the one that this candidate is
    /// limited to.
    func hasOtherKey(than file: StoredFile) -> Bool {
        guard file.provider == provider.name, fixed != nil, let keys else { return false }
        return reading(file) == nil && keys.credential(ofAccount: file.account) != nil
    }

    /// Returns a copy of this candidate whose calls can use this key only.
    func with(_ credential: Credential) -> Candidate { with(credential, rank, allServers) }

    func with(priority: Int) -> Candidate {
        var rank = rank
        rank.priority = priority
        return with(fixed, rank, allServers)
    }

    /// Returns a copy with these `allServers`: the models and prices of all candidates for the call.
    func with(allServers: [Billing.Server]) -> Candidate { with(fixed, rank, allServers) }

    private func with(_ fixed: Credential?, _ rank: ModelCatalog.Rank, _ allServers: [Billing.Server]) -> Candidate {
        Candidate(
            server: server,
            provider: provider,
            model: model,
            keys: keys,
            fixed: fixed,
            capacity: capacity,
            excludedTraits: excludedTraits,
            offeredBy: offeredBy,
            rank: rank,
            allServers: allServers,
            reports: reports,
            balance: balance,
            loop: loop
        )
    }
}

extension Candidate: KeyCooldowns {
    package func served(_ credential: Credential, begun: LoopTime) {
        keys?.served(credential, begun: begun)
        balance?.served(breakerKey)
    }

    package func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime) {
        keys?.failed(credential, error, begun: begun, at: now)
        if error.isOfProvider { balance?.conclude(breakerKey, error, at: now) }
    }
}
