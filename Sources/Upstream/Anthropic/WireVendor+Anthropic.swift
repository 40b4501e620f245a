import Engine
import Shared

extension ChatCall {
    /// The tokens that the request gives to Claude's reasoning alone, and whether they come on top of its limit.
    func reasoning(ofClaude model: Model) -> (tokens: Int, isOnTop: Bool) {
        guard let reasoning = rare?.value.reasoning else { return (0, false) }
        if original?.wire == .messages {
            return (reasoning.thinking == .budget ? reasoning.budgetTokens ?? 0 : 0, false)
        }
        let plan = ThinkingPlan(reasoning, ClaudeModel(model.id), canThink: true, hasReasoning: true)
        guard case .budget(let tokens) = plan.kind else { return (0, false) }
        return (tokens, plan.isOnTop || maxTokens.map { $0 <= tokens } ?? false)
    }

    var omitsReasoning: Bool { rare?.value.reasoning.display == .omitted }
}

/// Chat calls to Claude, for Anthropic and Vertex AI.
extension WireVendor {
    func abilitiesOfClaude(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .schemas, .inlineMedia, .sampling, .reasoning, .functions,
            .searchOptions,
        ]
        let quirks = quirks(model, for: call.quirks)
        abilities.subtract(quirks.lacking)
        if call.original?.wire == .messages {
            // The client knows the vendor's models, so only refusals show what a model lacks.
            abilities.formUnion([.mediaAddresses, .demands])
            if quirks.contains(.noForcing) { abilities.remove(.toolChoice) }
            if call.needs.isSubset(of: abilities) { return abilities }
            abilities.subtract([.mediaAddresses, .demands])
        }
        let claude = ClaudeModel(model.id)
        if !claude.supportsStructuredOutputs { abilities.remove(.schemas) }
        if case .schema(_, let schema?, _) = call.chatOptions.format, call.needs.contains(.schemas),
            abilities.contains(.schemas), ClaudeSchemaFit(of: schema) == .narrower
        {
            abilities.remove(.schemas)
        }
        let isLoose = !claude.supportsStructuredOutputs || quirks.dropsStrict
        if call.usesTools, call.chatOptions.tools.contains(where: { $0.isUnchecked(isLoose: isLoose) }) {
            abilities.insert(.uncheckedArguments)
        }
        abilities.emulateTogether(for: call.needs)
        if call.needs.contains(.stops), call.stops.contains(where: \.isBlank) { abilities.remove(.stops) }
        return abilities
    }

    func chatOfClaude(
        _ form: AnthropicForm,
        _ call: consuming ChatCall,
        model: Model,
        attempt: Attempt,
        _ memory: ToolCallMemory
    ) -> any PreparedChat {
        var call = consume call
        if call.original == nil, call.usesTools || call.messages.contains(where: { !$0.toolCalls.isEmpty }) {
            form.reasoning = CallerReasoning(memory, of: attempt.billing.caller)
        }
        call.leaveOutTiers(by: form.check, for: attempt.billing)
        call.leaveOutRelayTools(for: attempt.billing)
        call.leaveOutSearchOptions(except: AnthropicRequest.searchOptions, for: attempt.billing)
        if call.isForcedSearch { call.chatOptions.toolChoice = .named("web_search") }
        // Decorators in the folder `Emulation` make the calls for further choices, and find the stop sequences.
        call.choices = 1
        if quirks(model, for: call.quirks).contains(.noSearch) { call.dropSearch() }
        if call.stops.contains(where: \.isBlank) { call.stops = [] }
        return chat(form, call, model, by: attempt)
    }
}

extension WireVendor {
    /// Reads the reasoning that the conversation lacks, if the model is to reason.
    func recallThinking(_ memory: ToolCallMemory, _ call: ChatCall, _ model: Model, _ attempt: Attempt) async {
        guard call.original == nil, call.rare?.value.reasoning.plainEffort ?? "none" != "none" else { return }
        await CallerReasoning(memory, of: attempt.billing.caller)?
            .recall(.blocks(of: model), for: call.messages, on: tools.loop)
    }
}

extension CallerReasoning.Part {
    /// Returns the part that holds the reasoning of a model with the Messages API.
    static func blocks(of model: Model) -> CallerReasoning.Part {
        ClaudeModel.isForeign(model.id) ? .foreignBlocks : .claudeBlocks
    }
}

extension ChatOptions.Tool {
    /// Whether Anthropic may return arguments that do not match the schema of this strict tool.
    /// - Parameter isLoose: whether the model supports no strict tools.
    fileprivate func isUnchecked(isLoose: Bool) -> Bool {
        guard isStrict == true, let schema else { return false }
        return isLoose || ClaudeToolSchema.converted(schema) != nil || ClaudeSchemaFit(of: schema) > .exact
    }
}

extension WireVendor {
    /// Requests the number of a prompt's tokens. Returns the response as it came.
    func tokenCount(
        at endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        _ body: Body,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Body {
        let call = UpstreamCall(endpoint: endpoint, headers: headers, body: body)
        let response = try await attempt.send(call, on: transport)
        guard response.head.status / 100 == 2, response.body.bytes.count <= Self.countLimitBytes,
            try tools.parser.response(response.body.bytes)["input_tokens"]?.tokens != nil
        else { throw .invalidResponse("the vendor answered \(response.head.status) to count_tokens") }
        return response.body
    }

    /// The largest response to `count_tokens`, in bytes.
    private static let countLimitBytes = 65_536

    /// Returns the header lines with which a client's Messages request goes on.
    func headers(
        of request: OriginalRequest,
        _ dialect: AnthropicDialect,
        _ model: Model,
        _ attempt: Attempt,
        _ headers: KeyHeaders,
        for key: String
    ) -> UpstreamHeaders {
        guard let client = request.messageHeaders.map(dialect.headers) else { return headers.headers(for: key) }
        return headers.headers(
            for: key,
            passing: client,
            without: quirks.refusedBetas(of: name, model.id, for: .of(attempt)),
            isCallersKey: attempt.isCallersKey
        )
    }
}

extension AnthropicDialect {
    /// Returns the body of a request for the number of a prompt's tokens.
    func countedBody(
        _ request: OriginalRequest,
        _ model: Model,
        _ attempt: Attempt
    ) throws(UpstreamError) -> Body {
        do throws(APIError) {
            let changes = try check(for: attempt).changes(of: request)
            let request = request.applying(changes)
            let body = OriginalMessage.written(request, model: model.id, dialect: self, namesModel: true)
            guard RawJSON(body.bytes).containsForeignReasoning else { return body }
            return MessageRequestRewriter.written(body, with: [.named(.noForeignReasoning)])
        } catch {
            throw UpstreamError(refusing: error)
        }
    }
}

extension String {
    fileprivate var isBlank: Bool { utf8.allSatisfy { $0 == 32 || (9...13).contains($0) } }
}
