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
        if let position = try Self.position("before_id", fields, models: models) {
            let rest = models[..<position]
            self.models = rest.suffix(limit)
            hasMore = rest.count > limit
        } else {
            let rest = models[(try Self.position("after_id", fields, models: models).map { $0 + 1 } ?? 0)...]
            self.models = rest.prefix(limit)
            hasMore = rest.count > limit
        }
    }

    private static func position(
        _ name: StaticString,
        _ fields: FormFields,
        models: [ModelCatalog.Listed]
    ) throws(APIError) -> Int? {
        guard let id = try fields.string(name, limitBytes: Model.nameLimitBytes) else { return nil }
        guard let position = models.firstIndex(where: { $0.id.hasSameBytes(as: id) }) else {
            throw .value("\(name)", "no model with this id exists")
        }
        return position
    }

    func append(to body: inout ByteBuffer) {
        body.append(#"{"data":["#)
        for (index, model) in models.enumerated() {
            if index > 0 { body.append(",") }
            Self.append(model, to: &body)
        }
        body.append(#"],"has_more":"#)
        body.append(hasMore ? "true" : "false")
        for (name, id): (StaticString, String?) in [("first_id", models.first?.id), ("last_id", models.last?.id)] {
            body.append(#",""#)
            body.append(name)
            body.append(#"":"#)
            body.append(jsonOrNull: id)
        }
        body.append("}")
    }

    static func append(_ model: ModelCatalog.Listed, to body: inout ByteBuffer) {
        body.append(#"{"type":"model","id":"#)
        body.append(json: model.id)
        body.append(#","display_name":"#)
        body.append(json: model.id)
        body.append(#","created_at":""#)
        body.append(Timestamp.text(second: model.created ?? modelCreated))
        let isEnding = model.isReplaced || model.shutdownDate != nil
        body.append(isEnding ? #"","lifecycle":"deprecated""# : #"","lifecycle":"active""#)
        if let day = model.shutdownDate {
            body.append(#","retires_at":""#)
            body.append(Timestamp.text(second: day.secondsSince1970))
            body.append(#"""#)
        }
        let facts = model.facts
        for (name, tokens): (StaticString, Int?) in [
            (#","max_input_tokens":"#, facts.contextWindow), (#","max_tokens":"#, facts.maxOutputTokens),
        ] {
            guard let tokens else { continue }
            body.append(name)
            body.append(decimal: tokens)
        }
        append(facts.abilities, to: &body)
        body.append("}")
    }

    /// Appends the member `capabilities`: for each capability, whether model and relay support it.
    private static func append(_ abilities: ModelFacts.Abilities, to body: inout ByteBuffer) {
        func flag(_ name: StaticString, _ isSupported: Bool, _ inner: StaticString = "") {
            body.append(name)
            body.append(isSupported ? #"{"supported":true"# : #"{"supported":false"#)
            body.append(inner)
            body.append("}")
        }
        let thinks = abilities.contains(.reasoning)
        flag(#","capabilities":{"batch":"#, false)
        flag(#","citations":"#, false)
        flag(#","code_execution":"#, false)
        flag(
            #","context_management":"#,
            false,
            """
            ,"clear_thinking_20251015":{"supported":false},"clear_tool_uses_20250919":{"supported":false},\
            "compact_20260112":{"supported":false}
            """
        )
        flag(
            #","effort":"#,
            false,
            """
            ,"high":{"supported":false},"low":{"supported":false},"max":{"supported":false},\
            "medium":{"supported":false},"xhigh":{"supported":false}
            """
        )
        flag(#","image_input":"#, abilities.contains(.vision))
        flag(#","pdf_input":"#, false)
        let searches = abilities.contains(.webSearch)
        flag(#","server_tools":"#, searches, #","code_execution":{"supported":false}"#)
        body.removeLast(1)
        flag(#","web_search":"#, searches)
        body.append("}")
        flag(#","structured_outputs":"#, abilities.contains(.structuredOutputs))
        flag(#","thinking":"#, thinks)
        body.removeLast(1)
        flag(#","types":{"adaptive":"#, false)
        flag(#","between_tools":"#, false)
        flag(#","disabled":"#, false)
        flag(#","enabled":"#, thinks)
        body.append("}}}")
    }
}
