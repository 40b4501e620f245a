import Calls

extension LearnedQuirks {
    // Abilities that the vendor lacks.
    static let noObjects = LearnedQuirks(rawValue: 1 << 19)
    static let noSchemas = LearnedQuirks(rawValue: 1 << 20)
    static let noChoices = LearnedQuirks(rawValue: 1 << 21)
    /// The model cannot be forced to call a tool with `tool_choice`.
    static let noForcing = LearnedQuirks(rawValue: 1 << 22)
    /// The model needs the Responses API for requests with tools. With the quirk `otherPath`, all requests need it.
    static let otherPathWithTools = LearnedQuirks(rawValue: 1 << 32)
    static let otherPath = LearnedQuirks(rawValue: 1 << 33)
    /// The vendor does not download images from URLs, so the relay must send their data.
    static let noAddresses = LearnedQuirks(rawValue: 1 << 38)
    static let noTools = LearnedQuirks(rawValue: 1 << 39)
    static let noStops = LearnedQuirks(rawValue: 1 << 25)
    /// The field `strict` of tools is left out, so that the relay checks the arguments of calls.
    static let noStrict = LearnedQuirks(rawValue: 1 << 24)
    /// The model can be forced to call a named tool, but not with `tool_choice: "required"`.
    static let noRequired = LearnedQuirks(rawValue: 1 << 63)
    /// The vendor does not compact conversations.
    static let noCompaction = LearnedQuirks(rawValue: 1 << 23)
    /// The vendor refuses its option or tool for web search.
    static let noSearch = LearnedQuirks(rawValue: 1 << 31)
    static let ofAbilities: LearnedQuirks = [
        .noObjects, .noSchemas, .noChoices, .noForcing, .noTools, .noRequired, .noAddresses, .otherPathWithTools,
        .otherPath, .noCompaction, .noSearch, .noStops,
    ]

    private static let lacks: [(ability: Abilities, quirk: LearnedQuirks)] = [
        (.objects, .noObjects), (.schemas, .noSchemas), (.choices, .noChoices), (.compaction, .noCompaction),
        (.searchOptions, .noSearch), (.stops, .noStops),
    ]

    /// The abilities that a model with these quirks lacks in every call.
    var lacking: Abilities {
        isEmpty ? [] : Self.lacks.reduce(into: []) { if contains($1.quirk) { $0.formUnion($1.ability) } }
    }

    /// The quirks of lacking abilities that change calls with these needs.
    static func concerning(_ needs: Abilities) -> LearnedQuirks {
        let others: [(ability: Abilities, quirk: LearnedQuirks)] = [
            (.toolChoice, [.noForcing, .noRequired]), ([.tools, .functions], [.noTools, .otherPathWithTools]),
            (.inlineMedia, .noAddresses),
        ]
        return (lacks + others).reduce(into: .otherPath) { quirks, row in
            if !needs.isDisjoint(with: row.ability) { quirks.formUnion(row.quirk) }
        }
    }

    /// The names of the quirks for operators.
    var names: String {
        let found = Self.names.filter { contains($0.quirk) }.map { "\($0.name)" }
        return found.isEmpty ? "\(rawValue)" : found.joined(separator: ",")
    }

    private static let names: [(quirk: LearnedQuirks, name: StaticString)] = [
        (.noObjects, "json_object"), (.noSchemas, "json_schema"), (.noChoices, "n"), (.noForcing, "tool_choice"),
        (.noTools, "tools"), (.noRequired, "tool_choice required"), (.noAddresses, "image URLs"),
        (.otherPathWithTools, "tools by /responses"), (.otherPath, "/responses"), (.noCompaction, "compaction"),
        (.noSearch, "web search"), (.noStops, "stop"),
        (.shortIDs, "tool call ids"), (.emptyContent, "empty content"),
        (.noEmptyContent, "empty content beside tool calls"), (.joinedContent, "content parts"),
        (.mergedTurns, "order of roles"), (.reasoningBack, "earlier reasoning"), (.noLongIDs, "long tool call ids"),
        (.shortNames, "long tool names"), (.oneInstruction, "system messages"),
        (.anySignature, "signatures of tool calls"), (.noPrefill, "prefill"), (.noSystemTurns, "system turns"),
        (.noInstructions, "systemInstruction"), (.ownWire, "/ai/run"), (.lowBound, "max_tokens of the relay"),
        (.notStreamed, "stream"),
    ]
}
