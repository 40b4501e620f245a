package import Engine
import Limits
package import Shared

/// Calls servers with Anthropic's Messages API.
package final class Anthropic: KeyChecker, OnLoop, @unchecked Sendable {
    let wire: WireVendor
    private let messages: Endpoint
    private let counting: Endpoint
    private let dialect: AnthropicDialect
    private let models: Endpoint
    /// The memory of the reasoning that led to tool calls.
    private let reasoning: ToolCallMemory

    private static let version = "2023-06-01"
    /// The first version of Anthropic's API (`anthropic-version`) that refuses `temperature` and other sampling fields.
    private static let plainVersion = "2026-10-21"

    /// Creates the vendor; nil if the base URL in `site` is invalid.
    package init?(
        _ site: VendorSite,
        _ transport: any Transport,
        quirks: QuirkMemory,
        reasoning: ToolCallMemory,
        tools: LoopTools
    ) {
        guard let messages = Endpoint(site.baseURL + "/v1/messages", site.options),
            let counting = Endpoint(site.baseURL + "/v1/messages/count_tokens", site.options.forChecks),
            let models = Endpoint(site.baseURL + "/v1/models", site.options.forChecks)
        else { return nil }
        wire = WireVendor(site.name, transport, headers: Self.headers(site), quirks: quirks, tools: tools)
        self.messages = messages
        self.counting = counting
        self.models = models
        self.reasoning = reasoning
        let version = site.header("anthropic-version") ?? Self.version
        let isAnthropics = AnthropicDialect.isAnthropics(messages)
        dialect = AnthropicDialect(
            supportsSampling: version.utf8.lexicographicallyPrecedes(Self.plainVersion.utf8),
            isVertex: false,
            isAnthropics: isAnthropics,
            clientInfo: site.clientInfo,
            advisor: site.advisor,
            allowedFields: site.allowedFields,
            promptCache: PromptCacheMarks(site.promptCache, site.beginnings, isAnthropics: isAnthropics),
            errorTable: VendorError.anthropic
        )
    }

    private static func headers(_ site: VendorSite) -> KeyHeaders {
        let hasKey = site.header("authorization") != nil
        return KeyHeaders(own: site.headers) { key in
            (key.isEmpty || hasKey ? [] : ["x-api-key: \(key)"])
                + ["anthropic-version: \(Self.version)", "Content-Type: application/json"]
        }
    }

    package static func list(_ site: VendorSite, _ transport: any Transport, keys: [String]) -> VendorList {
        var form = VendorList.Form(path: "/v1/models?limit=1000", members: "data", headers: headers) { model in
            if model["lifecycle"]?.text == "retired" { return nil }
            var live = LiveModel(id: model["id"]?.string ?? "", owner: "", features: .chat, hasVision: false)
            live?.contextWindow = model["max_input_tokens"]?.integer.flatMap { Int(exactly: $0) }
            // Whether a model is `deprecated` follows from the date.
            let created = model["created_at"]?.string.flatMap(DateTime.milliseconds) ?? 0
            live?.created = created >= 1_000 ? created / 1_000 : nil
            live?.shutdownDate = model["retires_at"]?.text.flatMap { Day($0[part: 0..<min(10, $0.count)]) }
            live?.maxOutputTokens = model["max_tokens"]?.integer.flatMap { Int(exactly: $0) }
            let abilities: [(StaticString, ModelFacts.Abilities)] = [
                ("image_input", .vision), ("thinking", .reasoning),
            ]
            for (name, ability) in abilities {
                if let flag = model["capabilities"]?[name]?["supported"]?.flag { live?.facts.set(ability, flag) }
            }
            live?.facts.displayName = model["display_name"]?.string?.beginning(ofBytes: maxNameBytes)
            live?.facts.capabilities = capabilities(model["capabilities"])
            return live
        }
        form.next = { root in
            guard root["has_more"]?.flag == true, let last = root["last_id"]?.string else { return nil }
            return ("after_id", last)
        }
        return VendorList(site, form, transport: transport, keys: keys)
    }

    private static let maxNameBytes = 200
    private static let maxCapabilityBytes = 8_192

    /// Returns the capabilities of a listed model as JSON, by name; empty if there are none, or too many.
    private static func capabilities(_ listed: JSONValue?) -> [String: String] {
        let all = (listed?.members ?? []).map { name, value in
            var json = ByteBuffer()
            value.append(to: &json)
            return (name.text, json.text)
        }
        guard all.reduce(0, { $0 + $1.0.utf8.count + $1.1.utf8.count }) <= maxCapabilityBytes else { return [:] }
        return Dictionary(all) { first, _ in first }
    }

    package func accepts(key: String) async -> Bool { await wire.transport.accepts(key, at: models, wire.headers) }
}

extension Anthropic: WireChatVendor {
    package var wires: [Wire] { [.messages] }
    package var offersSearch: Bool { true }
    package var sendsAttribution: Bool { dialect.sendsAttribution }

    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool {
        call.original?.wire == .messages && !call.hasChangedCallIDs
    }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        wire.abilitiesOfClaude(for: call, of: model)
    }

    package func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool { call.omitsReasoning }

    package func reasoning(of call: borrowing ChatCall, for model: Model) -> (tokens: Int, isOnTop: Bool) {
        call.reasoning(ofClaude: model)
    }

    package var sharesMemory: Bool { reasoning.isShared }

    package func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async {
        await wire.recallThinking(reasoning, call, model, attempt)
    }

    package func prepare(_ call: consuming ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        let form = AnthropicForm(messages, dialect, call: call, model: model, attempt: attempt)
        return wire.chatOfClaude(form, consume call, model: model, attempt: attempt, reasoning)
    }
}

extension Anthropic: MessageTokenCounter {
    package func tokenCount(
        of request: OriginalRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Body {
        let body = try dialect.countedBody(request, model, attempt)
        let headers = wire.headers(of: request, dialect, model, attempt, wire.headers, for: attempt.key)
        return try await wire.tokenCount(at: counting, headers, body, by: attempt)
    }
}

extension VendorSite {
    /// Returns the value of the first header line with this name; nil if there is none.
    /// - Parameter name: in lower case.
    fileprivate func header(_ name: String) -> String? {
        for line in headers {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
            return String(line[line.index(after: colon)...]).withBytes { $0.trimmed.text }
        }
        return nil
    }
}
