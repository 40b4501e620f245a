package import Engine
import Limits
package import Shared

/// A vendor for servers with OpenAI's chat completions API.
package final class OpenAILike: KeyChecker, OnLoop, @unchecked Sendable {
    let wire: WireVendor
    let completions: Endpoint
    /// Whether the server is OpenAI's or Azure's. These two support `max_completion_tokens`.
    let isOpenAI: Bool
    /// Whether the vendor is DeepSeek, which demands that requests contain the reasoning that led to tool calls.
    let isDeepSeek: Bool
    let chatsBy: ProviderSettings.ChatPath
    let responses: Endpoint
    /// Recognises errors that the vendor reports in its own way, for files and forwarded requests.
    var errorTable = VendorError.openAI
    private let models: Endpoint
    /// The memory of the reasoning that led to tool calls; nil if the relay remembers no reasoning.
    private let reasoningBlocks: ToolCallMemory?
    let site: VendorSite
    private var forwarded: [ForwardedEndpoint: Endpoint] = [:]

    /// Creates a vendor; nil if the URL of the site is invalid.
    package init?(
        _ site: VendorSite,
        _ transport: any Transport,
        quirks: QuirkMemory,
        reasoningBlocks: ToolCallMemory?,
        tools: LoopTools
    ) {
        guard let completions = Endpoint(site.baseURL + "/chat/completions", site.options),
            let models = Endpoint(site.baseURL + "/models", site.options.forChecks),
            let responses = Endpoint(site.baseURL + "/responses", site.options)
        else { return nil }
        wire = WireVendor(site.name, transport, headers: site.bearerHeaders, quirks: quirks, tools: tools)
        self.completions = completions
        self.models = models
        self.reasoningBlocks = reasoningBlocks
        self.site = site
        self.responses = responses
        isOpenAI = completions.isAt("api.openai.com") || completions.isAt("openai.azure.com")
        isDeepSeek = completions.isAt("api.deepseek.com")
        // Azure's other hosts and GitHub Copilot have some of OpenAI's models in the Responses API only.
        let hasBoth = isOpenAI || completions.isAt("azure.com") || completions.isAt("githubcopilot.com")
        chatsBy = site.chatsBy ?? (hasBoth ? .auto : .chat)
    }

    package static func list(_ site: VendorSite, _ transport: any Transport, keys: [String]) -> VendorList {
        let form = VendorList.Form(path: "/models", members: "data", headers: \.bearerHeaders) { model in
            var live = LiveModel(id: model["id"]?.string ?? "", owner: "", features: .chat, hasVision: false)
            live?.shutdownDate = (model["shutdown_date"] ?? model["deprecation"])?.text.flatMap { Day($0) }
            live?.facts = ModelFacts(openAI: model)
            // A time after the year 2099 is treated as invalid.
            live?.created = model["created"]?.integer.flatMap { (1..<4_102_444_800).contains($0) ? Int($0) : nil }
            return live
        }
        return VendorList(site, form, transport: transport, keys: keys)
    }

    func endpoint(_ endpoint: ForwardedEndpoint) -> Endpoint? {
        if let known = forwarded[endpoint] { return known }
        forwarded[endpoint] = Endpoint(site.baseURL + endpoint.path, site.options)
        return forwarded[endpoint]
    }

    package func accepts(key: String) async -> Bool { await wire.transport.accepts(key, at: models, wire.headers) }
}

extension OpenAILike: WireChatVendor {
    package var wires: [Wire] { hasResponses ? [.chat, .responses] : [.chat] }

    /// Whether requests of the Responses API go on as they came.
    var hasResponses: Bool { chatsBy == .responses || isOpenAI && chatsBy == .auto }

    package var offersSearch: Bool { true }

    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool {
        isByResponses(call, model) == (call.original?.wire == .responses)
    }

    package func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool {
        // OpenAI's models reason unseen since `o1`. At Azure the name says nothing.
        if isByResponses(call, model) { return true }
        return isOpenAI && !["gpt-3", "gpt-4", "chatgpt-4"].contains { model.id.utf8.starts(with: $0.utf8) }
    }

    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool {
        // The server may turn out not to support tools or stop sequences, or not to download images.
        let mayLack =
            !call.needs.isDisjoint(with: [.tools, .functions, .stops])
            || call.needs.contains(.inlineMedia) && call.attachments.contains(where: \.isAddress)
        return mayLack && !isOpenAI || chatsBy == .auto && !isByResponses(call, model)
    }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        if call.original?.wire == .responses {
            // The vendor does what the client asks for, and the client gets the vendor's own response.
            let native: Abilities = [.demands, .customTools]
            let abilities = responsesAbilities(for: call, of: model).union(native)
            if call.needs.isSubset(of: abilities) { return abilities }
        }
        if isByResponses(call, model, mayPass: false) { return responsesAbilities(for: call, of: model) }
        var abilities: Abilities = [
            .choices, .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .audioInput,
            .sampling,
            .reasoning, .functions, .mediaAddresses, .searchOptions,
        ]
        let quirks = wire.quirks(model, for: call.quirks)
        abilities.adjust(to: quirks, for: call)
        // Documents have no URLs in this API.
        if call.needs.contains(.inlineMedia), call.attachments.contains(where: { $0.isAddress && $0.kind != .image }) {
            abilities.remove(.mediaAddresses)
        }
        // These need a request and a response that are forwarded unchanged: the neutral response has no fields for
        // them.
        let native: Abilities = [.logProbabilities, .audioOutput, .customTools, .demands, .audioReferences]
        let isFetched = !abilities.contains(.mediaAddresses) && call.attachments.contains(where: \.isAddress)
        if call.original != nil, !isFetched, call.needs.isSubset(of: abilities.union(native)) {
            abilities.formUnion(native)
        }
        return abilities
    }

    package var sharesMemory: Bool { reasoningBlocks?.isShared ?? false }

    package func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async {
        guard let model = attempt.billing.server?.model,
            isDeepSeek || wire.quirks.quirks(of: name, model, for: .of(attempt)).contains(.reasoningBack)
        else { return }
        await reasoningBlocks(of: attempt)?.recall(.reasoning, for: call.messages, on: wire.tools.loop)
    }

    private func reasoningBlocks(of attempt: Attempt) -> CallerReasoning? {
        reasoningBlocks.flatMap { CallerReasoning($0, of: attempt.billing.caller) }
    }

    package func prepare(_ call: consuming ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        var quirks = wire.known(model, for: call.quirks)
        // A call without long ids need not be rewritten for this quirk.
        if quirks.sure.contains(.noLongIDs), !call.hasLongIDs { quirks.sure.remove(.noLongIDs) }
        if quirks.sure.contains(.noSearch) { call.dropSearch() }
        if quirks.sure.contains(.noStops) { call.stops = [] }
        if isOpenAI, call.hasLongNames { quirks.sure.insert(.shortNames) }
        if quirks.sure.contains(.shortNames), !call.hasLongNames { quirks.sure.remove(.shortNames) }
        let (choices, bound) = (call.choices, call.maxTokens)
        let check = RequestCheck(for: attempt, allowing: site.allowedFields, choices: choices, maxTokens: bound)
        call.leaveOutTiers(by: check, for: attempt.billing)
        call.leaveOutRelayTools(for: attempt.billing)
        let form: any WireForm
        let isByResponses = isByResponses(call, model)
        // The other choices are requested by further calls.
        if isByResponses || quirks.sure.contains(.noChoices) { call.choices = 1 }
        if isByResponses {
            if call.original == nil {
                call.leaveOutSearchOptions(except: ResponsesRequest.searchOptions, for: attempt.billing)
            }
            form = ResponsesForm(self, call, model: model, check)
        } else {
            call.leaveOutSearchOptions(except: OpenAILikeRequest.searchOptions, for: attempt.billing, isOfChat: true)
            form = OpenAILikeForm(
                self,
                call,
                model: model,
                reasoningBlocks: reasoningBlocks(of: attempt),
                check
            )
        }
        return WireChat(wire, form, call: consume call, model: model, attempt: attempt, quirks: quirks)
    }
}

extension ChatCall {
    /// Whether a tool, or an earlier tool call, has a name that is too long for OpenAI. A request in OpenAI's own format
    /// has none.
    fileprivate var hasLongNames: Bool {
        guard original == nil else { return false }
        return chatOptions.hasTools && chatOptions.tools.contains { ShortToolNames.isLong($0.name) }
            || messages.contains { $0.toolCalls.contains { ShortToolNames.isLong($0.name) } }
    }

    /// Whether a tool call or tool result has an id that is too long for some servers.
    fileprivate var hasLongIDs: Bool {
        messages.indices.contains { index in
            messages[index].toolCallID.map(MessageRewriter.isLong) ?? false
                || messages[index].toolCalls.contains { $0.id.map(MessageRewriter.isLong) ?? false }
        }
    }
}
