import Engine
import Shared

/// A page of the model list in the form of Anthropic's API, with at most 1,000 models.
struct ModelPage {
    private let models: ArraySlice<ModelCatalog.Listed>
    private let hasMore: Bool

    private static let most = 1_000

    init(_ models: [ModelCatalog.Listed], _ request: Request) throws(APIError) {
        let fields = FormFields(request.queryFields)
        let limit = try fields.integer("limit", 1...Self.most) ?? Self.most
        if let index = try Self.index("before_id", fields, models: models) {
            let rest = models[..<index]
            self.models = rest.suffix(limit)
            hasMore = rest.count > limit
        } else {
            let rest = models[(try Self.index("after_id", fields, models: models).map { $0 + 1 } ?? 0)...]
            self.models = rest.prefix(limit)
            hasMore = rest.count > limit
        }
    }

    private static func index(
        _ name: StaticString,
        _ fields: FormFields,
        models: [ModelCatalog.Listed]
    ) throws(APIError) -> Int? {
        guard let id = try fields.string(name, limitBytes: Model.nameLimitBytes) else { return nil }
        guard let index = models.firstIndex(where: { $0.id.hasSameBytes(as: id) }) else {
            throw .value("\(name)", "no model with this id exists")
        }
        return index
    }

    var json: JSONFragment {
        #"""
        {"data":\#(models, each: Self.json),"has_more":\#(hasMore),"first_id":\#(models.first?.id),\#
        "last_id":\#(models.last?.id)}
        """#
    }

    static func json(_ model: ModelCatalog.Listed) -> JSONFragment {
        let isEnding = model.isReplaced || model.shutdownDate != nil
        let retirement = model.shutdownDate.map { Timestamp.text(second: $0.secondsSince1970) }
        return #"""
            {"type":"model","id":\#(model.id),"display_name":\#(model.facts.displayName ?? model.id),\#
            "created_at":\#(Timestamp.text(second: model.created ?? modelCreated)),\#
            "lifecycle":\#(isEnding ? "deprecated" : "active")\#(member: "retires_at", retirement)\#
            \#(member: "max_input_tokens", model.facts.contextWindow)\#
            \#(member: "max_tokens", model.facts.maxOutputTokens),"capabilities":\#(capabilities(model.facts))}
            """#
    }

    /// Returns for each capability whether model and relay support it, as the vendor lists it if it does.
    private static func capabilities(_ facts: ModelFacts) -> JSONFragment {
        func flag(_ ability: ModelFacts.Abilities) -> JSONFragment {
            #"{"supported":\#(facts.abilities.contains(ability))}"#
        }
        let no: JSONFragment = #"{"supported":false}"#
        let own: [String: JSONFragment] = [
            "citations": no, "code_execution": no, "image_input": flag(.vision), "pdf_input": no,
            "structured_outputs": flag(.structuredOutputs),
            "context_management": #"""
            {"supported":false,"clear_thinking_20251015":\#(no),"clear_tool_uses_20250919":\#(no),\#
            "compact_20260112":\#(no)}
            """#,
            "effort": #"""
            {"supported":false,"high":\#(no),"low":\#(no),"max":\#(no),"medium":\#(no),"xhigh":\#(no)}
            """#,
            "server_tools": #"""
            {"supported":\#(facts.abilities.contains(.webSearch)),"code_execution":\#(no),\#
            "web_search":\#(flag(.webSearch))}
            """#,
            "thinking": #"""
            {"supported":\#(facts.abilities.contains(.reasoning)),"types":{"adaptive":\#(no),\#
            "between_tools":\#(no),"disabled":\#(no),"enabled":\#(flag(.reasoning))}}
            """#,
        ]
        var all = own.merging(facts.capabilities.mapValues(JSONFragment.init(stringLiteral:))) { $1 }
        // The relay serves no batches, whatever the vendor does.
        all["batch"] = no
        return "{\(members: all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })}"
    }
}
