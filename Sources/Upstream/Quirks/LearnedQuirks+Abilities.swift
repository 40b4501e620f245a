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

    /// The quirks of lacking abilities that change calls with these needs.
    static func concerning(_ needs: Abilities) -> LearnedQuirks {
        let table: [(Abilities, LearnedQuirks)] = [
            (.objects, .noObjects), (.schemas, .noSchemas), (.choices, .noChoices),
            (.toolChoice, [.noForcing, .noRequired]), ([.tools, .functions], [.noTools, .otherPathWithTools]),
            (.inlineMedia, .noAddresses), (.compaction, .noCompaction), (.searchOptions, .noSearch),
            (.stops, .noStops),
        ]
        return table.reduce(into: .otherPath) { quirks, row in
            if !needs.isDisjoint(with: row.0) { quirks.formUnion(row.1) }
        }
    }

    /// The names of lacking abilities in the log.
    static let namesOfAbilities: [QuirkName] = [
        (.noObjects, "json_object"), (.noSchemas, "json_schema"), (.noChoices, "n"), (.noForcing, "tool_choice"),
        (.noTools, "tools"), (.noRequired, "tool_choice required"), (.noAddresses, "image URLs"),
        (.otherPathWithTools, "tools by /responses"), (.otherPath, "/responses"), (.noCompaction, "compaction"),
        (.noSearch, "web search"), (.noStops, "stop"),
    ]
}
