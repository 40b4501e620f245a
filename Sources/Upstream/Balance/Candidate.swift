package import Calls
import Engine
package import Shared

/// A provider's model that could serve a call. To look one up takes nothing; the key is chosen when it is called.
package final class Candidate: Sendable {
    /// As the request's answer tells of it.
    package let server: CallSheet.Server
    package let provider: any ChatVendor
    package let model: Model
    /// Nil: callers' own keys are passed on, or none is needed.
    let keys: KeyRing?
    /// The only key that the call can be made with; nil: whose turn it is.
    let fixed: Credential?
    /// Nil: its provider has no bound.
    let capacity: Capacity?
    private let spared: Traits
    let offeredBy: Int
    let rank: Offers.Rank
    /// Of all who may serve its call, where these do not have its name; else empty.
    let rivals: [CallSheet.Server]
    /// Whether its provider's answers bring their usage.
    package let reports: UsageReports
    let loop: EventLoop

    init(
        server: CallSheet.Server,
        provider: any ChatVendor,
        model: Model,
        keys: KeyRing?,
        fixed: Credential?,
        capacity: Capacity? = nil,
        spared: Traits = [],
        offeredBy: Int,
        rank: Offers.Rank,
        rivals: [CallSheet.Server] = [],
        reports: UsageReports = UsageReports(),
        loop: EventLoop
    ) {
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

    /// The model's name here: as it was asked for, or the fallback's.
    package var name: String { server.name }
    /// Nil: not known.
    package var price: Price? { server.price }
    /// Its provider takes credits for calls.
    package var takesCredits: Bool { server.credits != nil }

    /// Traits of chats that settings keep from a provider.
    package struct Traits: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let tools = Traits(rawValue: 1)
        package static let pictures = Traits(rawValue: 2)

        /// Those that the provider's settings keep from it.
        package init(sparing provider: ProviderSettings) {
            self = []
            if !provider.takesTools { insert(.tools) }
            if !provider.takesPictures { insert(.pictures) }
        }
    }

    /// It is of the same model, and settings keep the same calls from its provider.
    package func isLike(_ other: Candidate) -> Bool { spared == other.spared && model == other.model }

    /// Settings keep some calls from its provider.
    var isSpared: Bool { !spared.isEmpty }

    /// Throws if settings keep such calls from its provider, or if the call has words that only servers of OpenAI's wire
    /// may know.
    package func check(_ call: borrowing ChatCall) throws(APIError) {
        if call.hasWords, !provider.takesOriginal(of: call, for: model) { try call.checkWords() }
        if spared.isEmpty { return }
        if spared.contains(.tools), !call.needs.isDisjoint(with: [.tools, .functions, .customTools]) {
            throw .unsupported("tools", "The model's provider takes no tools.")
        }
        guard spared.contains(.pictures), let picture = call.attachments.first(where: { $0.kind == .picture }) else {
            return
        }
        throw .value(picture.param, "the model's provider takes no pictures", code: "unsupported_value")
    }

    /// It is called with a key of the relay's, or without any.
    package var usesOwnKey: Bool { fixed?.label != nil || fixed == nil }

    /// No other key could do better.
    var hasOneKey: Bool { fixed != nil || keys?.isSingle ?? true }

    var breakerKey: Balance.BreakerKey { Balance.BreakerKey(provider: offeredBy, model: model.id) }

    /// Some key does not rest.
    var hasSoundKey: Bool { fixed != nil || keys?.isAvailable(at: loop.now) ?? true }

    /// Takes the turn of a key, and capacity if its provider has a bound.
    package func call(billing sheet: CallSheet) async throws(UpstreamError) -> VendorCall {
        guard let capacity else { return unboundedCall(billing: sheet) }
        let (credential, held) = try await capacity.take(ofKeys: keys, or: fixed, on: loop)
        sheet.hold(held)
        return call(with: credential, billing: sheet)
    }

    /// Of a candidate without a bound.
    package func unboundedCall(billing sheet: CallSheet) -> VendorCall {
        call(with: fixed ?? keys?.next(at: loop.now) ?? .none, billing: sheet)
    }

    func call(with credential: Credential, billing sheet: CallSheet) -> VendorCall {
        sheet.server = server
        return VendorCall(credential, billing: sheet, on: loop, with: keys, within: capacity)
    }

    /// The first key by `choice` that has room, with it; nil: none has, or others wait for it.
    ///
    /// - Parameter isTurn: the others that waited have been served.
    func takenKey(
        besides tried: Set<String> = [],
        _ choice: KeyChoice = KeyChoice(),
        isTurn: Bool = false
    ) async -> (Credential, HeldCapacity)? {
        await capacity?.takeNow(ofKeys: keys, or: fixed, besides: tried, choice, isTurn: isTurn, on: loop)
    }

    /// True if its keys have no room, as far as is known here.
    func isKnownFull(besides tried: Set<String> = []) -> Bool {
        guard let capacity else { return false }
        if capacity.isAwaited { return true }
        let all = fixed.map { [$0] } ?? keys.map { $0.order(at: loop.now, besides: tried) } ?? [.none]
        return !all.isEmpty && all.allSatisfy(capacity.isKnownFull)
    }

    // The abilities of its provider besides chatting; nil: it does not have this one.
    package var images: (any ImageProvider)? { provider as? any ImageProvider }
    package var speech: (any SpeechProvider)? { provider as? any SpeechProvider }
    package var transcription: (any TranscriptionProvider)? { provider as? any TranscriptionProvider }
    package var forwarder: (any Forwarder)? { provider as? any Forwarder }
    package var files: (any FileProvider)? { provider as? any FileProvider }
    package var assetKeeper: (any AssetKeeper)? { provider as? any AssetKeeper }

    /// The candidate with the key that a file was uploaded with; nil: its provider has none such for this caller.
    package func reading(_ file: StoredFile) -> Candidate? {
        guard file.provider == provider.name, let credential = file.credential(fixed, keys) else { return nil }
        return fixed == nil && keys != nil ? with(credential) : self
    }

    /// The same, to be called with that key.
    func with(_ credential: Credential) -> Candidate { with(credential, rank, rivals) }

    func with(priority: Int) -> Candidate {
        var rank = rank
        rank.priority = priority
        return with(fixed, rank, rivals)
    }

    /// The same, of a call that these may serve by other names.
    func with(rivals: [CallSheet.Server]) -> Candidate { with(fixed, rank, rivals) }

    private func with(_ fixed: Credential?, _ rank: Offers.Rank, _ rivals: [CallSheet.Server]) -> Candidate {
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
            loop: loop
        )
    }
}
