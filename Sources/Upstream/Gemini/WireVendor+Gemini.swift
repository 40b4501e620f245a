import Engine
import Shared

/// Chat calls to Google's models, for the Gemini API and Vertex AI.
extension WireVendor {
    func abilitiesOfGemini(
        for call: borrowing ChatCall,
        of model: Model,
        in dialect: GeminiDialect = .own
    ) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .audioInput, .sampling,
            .reasoning,
            .functions,
        ]
        let gemini = GeminiModel(model.id)
        // Google's search does not go together with functions. A forced search needs no others.
        if !gemini.isBare, !call.usesTools || call.isForcedSearch { abilities.insert(.searchOptions) }
        let quirks = quirks(model, for: call.quirks)
        if gemini.isBare { abilities.subtract([.tools, .functions, .toolChoice, .objects, .schemas]) }
        abilities.subtract(quirks.lacking)
        if call.hasStrictTools { abilities.insert(.uncheckedArguments) }
        if dialect.hasOpenSchemas, call.needs.contains(.schemas),
            case .schema(_, let schema?, _) = call.chatOptions.format, OpenSchema.hasMap(schema)
        {
            abilities.remove(.schemas)
        }
        let isFormed = !call.needs.isDisjoint(with: [.objects, .schemas])
        if isFormed, !gemini.supportsToolsWithFormat, call.usesTools { abilities.subtract([.objects, .schemas]) }
        // Tools and formats are emulated together, as text.
        if !call.needs.subtracting(abilities).isDisjoint(with: [.objects, .schemas]) {
            abilities.subtract([.tools, .functions, .toolChoice])
        }
        if call.stops.count > GeminiRequest.maxStops { abilities.remove(.stops) }
        return abilities
    }

    func chatOfGemini(_ form: GeminiForm, _ call: ChatCall, model: Model, attempt: Attempt) -> any PreparedChat {
        var call = call
        // Decorators in the folder `Emulation` make the calls for further choices, and find the stop sequences.
        call.choices = 1
        if call.stops.count > GeminiRequest.maxStops { call.stops = [] }
        return chat(form, call, model, by: attempt)
    }
}
