import Calls
import Engine
import Shared

/// Chat calls to Claude, for Anthropic and Vertex AI.
extension WireVendor {
    func abilitiesOfClaude(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .schemas, .inlineMedia, .sampling, .reasoning, .functions,
            .searchOptions,
        ]
        let claude = ClaudeModel(model.id)
        let quirks = self.quirks.quirks(of: name, model.id)
        if !claude.supportsStructuredOutputs || quirks.contains(.noSchemas) { abilities.remove(.schemas) }
        if quirks.contains(.noSearch) { abilities.remove(.searchOptions) }
        if case .schema(_, let schema?, _) = call.chatOptions.format, call.needs.contains(.schemas),
            abilities.contains(.schemas), ClaudeSchemaFit(of: schema) == .narrower
        {
            abilities.remove(.schemas)
        }
        let isLoose = !claude.supportsStructuredOutputs || !quirks.isDisjoint(with: [.noStrictTools, .plainSchemas])
        if call.usesTools, call.chatOptions.tools.contains(where: { $0.isUnchecked(isLoose: isLoose) }) {
            abilities.insert(.uncheckedArguments)
        }
        let lacking = call.needs.subtracting(abilities)
        // Tools and formats are emulated together, as text.
        if !lacking.isDisjoint(with: [.toolChoice, .objects, .schemas]) {
            abilities.subtract([.tools, .functions, .toolChoice])
        }
        if call.needs.contains(.stops), call.stops.contains(where: \.isBlank) { abilities.remove(.stops) }
        return abilities
    }

    func chatOfClaude(
        _ form: AnthropicForm,
        _ call: ChatCall,
        model: Model,
        vendorCall: VendorCall
    ) -> any PreparedChat {
        var call = call
        // Decorators in the folder `Emulation` make the calls for further choices, and find the stop sequences.
        call.choices = 1
        if quirks.quirks(of: name, model.id).contains(.noSearch) { call.dropSearch() }
        if call.stops.contains(where: \.isBlank) { call.stops = [] }
        return WireChat(
            self,
            form,
            call: call,
            model: model,
            vendorCall: vendorCall,
            quirks: quirks.quirks(of: name, model.id)
        )
    }
}

extension ChatOptions.Tool {
    /// Whether Anthropic may return arguments that do not match the schema of this strict tool.
    ///
    /// - Parameter isLoose: whether the model supports no strict tools.
    fileprivate func isUnchecked(isLoose: Bool) -> Bool {
        guard isStrict == true, let schema else { return false }
        return isLoose || ClaudeToolSchema.converted(schema) != nil || ClaudeSchemaFit(of: schema) > .exact
    }
}

extension String {
    fileprivate var isBlank: Bool { utf8.allSatisfy { $0 == 32 || (9...13).contains($0) } }
}
