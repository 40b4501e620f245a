package import Engine
import Limits
package import Shared

/// Calls the models of one publisher, Google or Anthropic, on Google's Vertex AI.
package final class Vertex: KeyChecker, OnLoop, @unchecked Sendable {
    package enum Publisher: String, Sendable {
        case google
        case anthropic
    }

    let wire: WireVendor
    /// The headers of a call that names the project to bill (`x-goog-user-project`).
    let countedHeaders: KeyHeaders
    let site: VertexSite
    let publisher: Publisher
    /// The memory of what came with tool calls: Google's signatures, or Claude's reasoning.
    private let memory: ToolCallMemory
    private let projects: Endpoint
    private var addresses: [String: [ModelAddress]] = [:]

    private static let maxAddresses = 1_000

    /// Creates the vendor; nil if `site` has no location or an invalid URL.
    package init?(
        _ publisher: Publisher,
        _ site: VertexSite,
        transport: any Transport,
        quirks: QuirkMemory,
        memory: ToolCallMemory,
        tools: LoopTools
    ) {
        guard let location = site.locationURLs.first, let projects = Endpoint(location, site.vendor.options.forChecks)
        else {
            return nil
        }
        let own = site.vendor.headers
        let project = site.project
        wire = WireVendor(
            site.vendor.name,
            transport,
            headers: KeyHeaders(own: own, Self.lines),
            quirks: quirks,
            tools: tools
        )
        countedHeaders = KeyHeaders(own: own) { Self.lines($0) + ["x-goog-user-project: \(project)"] }
        self.site = site
        self.publisher = publisher
        self.memory = memory
        self.projects = projects
    }

    private static let lines: @Sendable (String) -> [String] = { token in
        ["Authorization: Bearer \(token)", "Content-Type: application/json"]
    }

    /// Returns whether Google accepts the key.
    package func accepts(key: String) async -> Bool { await wire.transport.accepts(key, at: projects, wire.headers) }

    /// Returns the model's URL for each location; empty if the model's name cannot be part of a URL.
    func addresses(of model: String) -> [ModelAddress] {
        if let known = addresses[model] { return known }
        let methods: (whole: String, stream: String) =
            switch publisher {
            case .google: ("generateContent", "streamGenerateContent?alt=sse")
            case .anthropic: ("rawPredict", "streamRawPredict")
            }
        var all: [ModelAddress] = []
        for location in site.locationURLs {
            let path = "\(location)/publishers/\(publisher.rawValue)/models/\(model.escapedInPath)"
            guard let whole = Endpoint("\(path):\(methods.whole)", site.vendor.options),
                let stream = Endpoint("\(path):\(methods.stream)", site.vendor.options)
            else { return [] }
            all.append(ModelAddress(whole: whole, stream: stream))
        }
        if addresses.count >= Self.maxAddresses { addresses = [:] }
        addresses[model] = all
        return all
    }
}

extension Vertex: WireChatVendor {
    package var wires: [Wire] { publisher == .anthropic ? [.messages] : [] }
    package var keepsDeadlines: Bool { false }
    package var offersSearch: Bool { publisher == .anthropic }
    package var sendsAttribution: Bool { publisher == .anthropic && site.vendor.clientInfo != .none }

    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool {
        publisher == .anthropic && call.original?.wire == .messages && !call.hasChangedCallIDs
    }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        switch publisher {
        case .google: wire.abilitiesOfGemini(for: call, of: model, in: .vertex)
        case .anthropic: wire.abilitiesOfClaude(for: call, of: model)
        }
    }

    package func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool {
        publisher == .google || call.omitsReasoning
    }

    package func reasoning(of call: borrowing ChatCall, for model: Model) -> (tokens: Int, isOnTop: Bool) {
        publisher == .anthropic ? call.reasoning(ofClaude: model) : (0, false)
    }

    package func reads(_ address: String) -> Bool {
        publisher == .google && address.begins(with: Attachment.cloudScheme)
    }

    package var sharesMemory: Bool { memory.isShared }

    package func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async {
        guard publisher == .google else { return await wire.recallThinking(memory, call, model, attempt) }
        await AccountSignatures(memory, of: attempt.credential).recall(for: call.messages, on: wire.tools.loop)
    }

    package func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        let addresses = addresses(of: model.id)
        let route = VertexRoute(self, model.id, addresses: addresses, attempt: attempt)
        switch publisher {
        case .google:
            let memory = AccountSignatures(memory, of: attempt.credential)
            let form = GeminiForm(addresses.first, memory, model: model, dialect: .vertex, by: route)
            return wire.chatOfGemini(form, call, model: model, attempt: attempt)
        case .anthropic:
            let form = AnthropicForm(
                addresses.first?.whole,
                .vertex(site.vendor),
                call: call,
                model: model,
                attempt: attempt,
                by: route
            )
            return wire.chatOfClaude(form, call, model: model, attempt: attempt, memory)
        }
    }
}

extension GeminiDialect {
    fileprivate static let vertex = GeminiDialect(hasOpenSchemas: true, errorTable: VendorError.vertexGemini)
}

extension AnthropicDialect {
    static func vertex(_ site: VendorSite) -> AnthropicDialect {
        AnthropicDialect(
            supportsSampling: true,
            isVertex: true,
            isAnthropics: true,
            clientInfo: site.clientInfo,
            advisor: site.advisor,
            allowedFields: site.allowedFields,
            promptCache: PromptCacheMarks(site.promptCache, site.beginnings, isAnthropics: true),
            errorTable: VendorError.vertexClaude
        )
    }
}

extension Vertex: MessageTokenCounter {
    package func tokenCount(
        of request: OriginalRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Body {
        let addresses = addresses(of: "count-tokens")
        guard publisher == .anthropic, !addresses.isEmpty else { throw .invalidResponse("the model is not counted") }
        let route = VertexRoute(self, "count-tokens", addresses: addresses, attempt: attempt)
        try await route.begin()
        let dialect = AnthropicDialect.vertex(site.vendor)
        let body = try dialect.countedBody(request, model, attempt)
        let headers = wire.headers(of: request, dialect, model, attempt, route.headers, for: route.key)
        let endpoint = route.endpoint(isStreamed: false)
        return try await wire.tokenCount(at: endpoint, headers, body, by: attempt)
    }
}
