package import Engine
package import Shared

/// A chat call that is fitted to one candidate: how its attachments reach the vendor, and which abilities are emulated.
package final class ChatFit: AttemptFit, OnLoop, @unchecked Sendable {
    /// The way in which the attachments of a call reach the vendor.
    enum Route {
        /// As they are: in the client's own request, or in the vendor's form.
        case plain
        /// Uploaded to the vendor before the call.
        case attached(AttachmentPlan, MediaAccess)
        /// In the call, after the relay has downloaded them.
        case fetched(MediaFetch)
        /// The model makes images or speech, and the response contains links to them.
        case links(LinkPlan)
    }

    package internal(set) var candidate: Candidate
    package internal(set) var options: FormatterOptions
    package internal(set) var call: ChatCall
    // Facts about the call, stored because reading them from the call would copy it:
    var isShort = false
    /// Whether the vendor itself checks the length of the call, because it gets the client's request unchanged.
    private let leavesLength: Bool
    var sentBytes: Int
    var route = Route.plain
    var emulation: ChatEmulation
    package let count: CallCount
    let abilities: Abilities
    /// The rules for writing tools and the output format into the prompt; nil if not needed.
    let form: TextProtocol?
    package let caller: Caller
    let services: any ChatServices
    /// Whether the relay can repeat the call with another key or another candidate.
    let mayRepeat: Bool
    /// Whether `prepare` must be called before the fit can be used.
    var isUnprepared = false
    /// Whether the relay must replace file ids by the vendor's names for these files.
    let namesFiles: Bool
    /// The limit of the completion before budgets lowered it, and whether the context window did; nil if they did not.
    private var unlowered: (maxTokens: Int?, hasLowerBound: Bool)?
    /// A copy of the call for a second attempt with emulation; nil if no such attempt can be needed.
    var spare: Indirect<ChatCall>?

    /// The abilities that some vendors' servers lack although the vendor's API has them.
    private static let doubtful: Abilities = [
        .choices, .objects, .schemas, .toolChoice, .compaction, .uncheckedArguments,
    ]

    /// Fits a call to a candidate.
    ///
    /// Throws if the candidate lacks an ability that the relay cannot emulate.
    /// - Parameter isRepair: whether the prompt describes tools and the output format because the vendor's support
    ///   failed.
    package init(
        _ call: consuming ChatCall,
        _ candidate: Candidate,
        caller: Caller,
        services: any ChatServices,
        mayRepeat: Bool = false,
        isRepair: Bool = false
    ) throws(APIError) {
        let (model, provider) = (candidate.model, candidate.provider)
        if !candidate.speaksWire(of: call) { call.original = nil }
        try candidate.begin(&call, for: caller)
        if call.needs.contains(.inlineMedia) {
            try call.attachments.leave(to: provider, isCallersKey: !candidate.usesOwnKey)
        }
        if call.needs.contains(.compaction) { call.becomeSummary(unless: provider.abilities(for: call, of: model)) }
        abilities = provider.abilities(for: call, of: model).subtracting(isRepair ? .asText : [])
        try ChatEmulation.check(call, against: abilities)
        var loadsMedia = call.needs.contains(.inlineMedia) && !abilities.contains(.inlineMedia)
        if candidate.chats {
            form = try TextProtocol(call, lacking: abilities, isRepair: isRepair)
        } else {
            form = nil
            call.isAnsweredByLinks()
            if call.attachments.isEmpty {
                route = .links(try candidate.links(call, services.memory(of: caller)))
                loadsMedia = false
            }
        }
        var isFetched = false
        if call.needs.contains(.inlineMedia), !loadsMedia, candidate.chats, !abilities.contains(.mediaAddresses),
            call.attachments.contains(where: \.isAddress)
        {
            route = .fetched(try MediaFetch(call, services.mediaAccess(for: caller)))
            isFetched = true
        }
        namesFiles = call.needs.contains(.inlineMedia) && !loadsMedia && KeptFiles.areNamed(in: call, by: candidate)
        isUnprepared = loadsMedia || form != nil || namesFiles
        let needed = call.needs.union(.uncheckedArguments)
        let isInDoubt = !needed.intersection(abilities).isDisjoint(with: Self.doubtful)
        if isInDoubt || provider.isUnsure(of: call, for: model), call.unreadError == nil { spare = Indirect(copy call) }
        if call.original != nil { Self.checkOriginal(of: &call, candidate, abilities, isFetched: isFetched) }
        if call.original == nil, let error = call.unreadError, !call.mayLeaveOutTools { throw error }
        leavesLength = call.original.map { $0.wire != .chat } ?? false
        count = CallCount(model, by: services.worker, on: services.loop)
        options = FormatterOptions(call, candidate)
        let emulation = Self.emulation(of: call, lacking: abilities, count, services)
        if !isUnprepared, candidate.chats, emulation.leaves(call) { count.follow(candidate.reports) }
        isShort = candidate.chats && count.countShort(call)
        sentBytes = call.sentBytes
        self.emulation = emulation
        self.call = consume call
        self.candidate = candidate
        self.caller = caller
        self.services = services
        self.mayRepeat = mayRepeat
    }

    /// Removes the raw request from a call whose vendor cannot get it.
    private static func checkOriginal(
        of call: inout ChatCall,
        _ candidate: Candidate,
        _ abilities: Abilities,
        isFetched: Bool
    ) {
        let isNative = candidate.provider.acceptsOriginal(of: call, for: candidate.model)
        // Emulation changes the call, and so does fetching an image: the raw request no longer matches it.
        guard !isNative || !call.needs.isSubset(of: abilities) || isFetched else { return }
        if isNative { call.changedOriginal = call.original } else { call.nameUnreadFields() }
        call.original = nil
    }

    static func emulation(
        of call: borrowing ChatCall,
        lacking abilities: Abilities,
        _ count: CallCount,
        _ services: any ChatServices
    ) -> ChatEmulation {
        let (memory, worker, loop) = (services.memory, services.worker, services.loop)
        return ChatEmulation(call, lacking: abilities, count, within: memory, by: worker, on: loop)
    }

    /// Passes an unused fit on to another candidate that is alike, and returns whether it fits.
    ///
    /// Returns false, without a change, if the other candidate needs a fit of its own.
    /// - Parameter call: the call as the client requested it; its `original` must be nil.
    @inline(__always)
    func passes(_ call: borrowing ChatCall, to other: Candidate) -> Bool {
        // This function is inlined, because a function call would copy the chat call.
        guard case .plain = route, form == nil, !namesFiles, spare == nil, candidate.chats, other.isLike(candidate)
        else { return false }
        guard !call.needs.contains(.inlineMedia), !other.provider.isUnsure(of: call, for: other.model),
            other.provider.abilities(for: call, of: other.model) == abilities
        else { return false }
        candidate = other
        count.pass(to: other.reports)
        return true
    }

    /// The candidate that transcribes audio in the prompt; nil if the relay transcribes no audio.
    package var transcriber: Candidate? { if case .attached(let plan, _) = route { plan.transcriber } else { nil } }

    /// Returns whether the call's length need not be checked, for example because the call is short.
    func isShort(_ usageReservation: UsageReservation?) -> Bool {
        !candidate.chats || leavesLength || isShort && usageReservation?.prompt.tokens == nil
    }

    /// Gives the call its own limit of the completion back, before it is made again.
    func restoreBound() {
        if let unlowered { (call.maxTokens, call.hasLowerBound) = unlowered }
        unlowered = nil
    }

    /// Lowers the limit of the completion to what the budgets of the request pay, if that is less.
    @inline(never)  // Its variables would be a part of each request's frame.
    func lower(by billing: Billing) {
        guard billing.boundsOutput else { return }
        // An earlier response has at least one of the choices.
        let bound = bound(of: call, by: billing, choices: emulation.first == nil ? call.choices : call.choices - 1)
        guard let bound else { return }
        unlowered = (call.maxTokens, call.hasLowerBound)
        (call.maxTokens, call.hasLowerBound) = (bound, true)
    }

    /// Returns a further call for the same response, with the limit of the completion that is paid beside what the calls
    /// before it have used.
    func lowered(_ further: ChatCall, by billing: Billing) -> ChatCall {
        var further = further
        if let unlowered { (further.maxTokens, further.hasLowerBound) = unlowered }
        if let bound = bound(of: further, by: billing, choices: further.choices) {
            (further.maxTokens, further.hasLowerBound) = (bound, true)
        }
        return further
    }

    /// Returns the limit of the completion that budgets pay; nil if they pay the call's own.
    private func bound(of call: borrowing ChatCall, by billing: Billing, choices: Int) -> Int? {
        guard candidate.chats, abilities.contains(.tokenBound) else { return nil }
        let added = candidate.provider.reasoning(of: call, for: candidate.model)
        let asked = (call.maxTokens ?? candidate.model.maxOutputTokens).map { $0 + (added.isOnTop ? added.tokens : 0) }
        guard let bound = billing.lowerBound(asked, choices: choices) else { return nil }
        return min(call.maxTokens ?? .max, max(1, added.isOnTop ? bound - added.tokens : bound))
    }

    /// Lowers the limit of the completion to what the model's context window leaves beside the prompt. Throws if the
    /// prompt is too long for the window.
    @inline(never)  // Called only for long calls.
    func check(_ promptTokens: Int?) async throws(APIError) {
        guard let bound = try await count.count(call, known: promptTokens) else { return }
        call.maxTokens = bound
        call.hasLowerBound = true
    }
}

extension Candidate {
    /// Returns whether the vendor has the API of the client's request.
    fileprivate func speaksWire(of call: borrowing ChatCall) -> Bool {
        guard let wire = call.original?.wire, wire != .chat else { return true }
        return provider.wires.contains(wire)
    }

    /// Returns whether the vendor may get the client's request unchanged.
    func mayPass(_ call: borrowing ChatCall) -> Bool {
        call.original != nil && speaksWire(of: call) && provider.acceptsOriginal(of: call, for: model)
    }
}

/// The services of an event loop that chats need besides the vendors. The loop's gateway provides them.
package protocol ChatServices: AnyObject, Sendable {
    var ids: RandomBytes { get }
    var memory: MemoryBudget { get }
    var worker: WorkQueue { get }
    var loop: EventLoop { get }
    /// Returns what is needed to load the media in the caller's requests.
    func mediaAccess(for caller: Caller) -> MediaAccess
    /// Returns the memory of the images that the relay has made for the caller.
    func memory(of caller: Caller) -> ImageMemory
}

package protocol ChatRequester: AnyObject, Sendable {
    var services: any ChatServices { get }
    /// Returns the reservation by which a call is billed if the fit's candidate serves it; nil if no limit needs one.
    func usageReservation(for fit: ChatFit) -> UsageReservation?
    /// Returns the hash of the session of the request; nil if the request belongs to no session.
    func sessionHash(of caller: Caller) -> UInt64?
}
