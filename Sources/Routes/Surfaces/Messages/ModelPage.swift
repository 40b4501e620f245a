import Engine
import Shared

/// A part of the list of models in Anthropic's form: all of them, unless the request names a number or a place.
struct ModelPage {
    private let models: ArraySlice<Offers.Listed>
    private let hasMore: Bool

    private static let most = 1_000

    init(_ models: [Offers.Listed], _ request: Request) throws(APIError) {
        let fields = FormFields(request.queryFields)
        let limit = try fields.integer("limit", 1...Self.most) ?? Self.most
        if let place = try Self.place("before_id", fields, models) {
            let rest = models[..<place]
            self.models = rest.suffix(limit)
            hasMore = rest.count > limit
        } else {
            let rest = models[(try Self.place("after_id", fields, models).map { $0 + 1 } ?? 0)...]
            self.models = rest.prefix(limit)
            hasMore = rest.count > limit
        }
    }

    private static func place(
        _ name: StaticString,
        _ fields: FormFields,
        _ models: [Offers.Listed]
    ) throws(APIError) -> Int? {
        guard let id = try fields.string(name, limitBytes: Model.nameLimitBytes) else { return nil }
        guard let place = models.firstIndex(where: { $0.id.hasSameBytes(as: id) }) else {
            throw .value("\(name)", "the list has no such model")
        }
        return place
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

    static func append(_ model: Offers.Listed, to body: inout ByteBuffer) {
        body.append(#"{"type":"model","id":"#)
        body.append(json: model.id)
        body.append(#","display_name":"#)
        body.append(json: model.id)
        body.append(#","created_at":""#)
        body.append(Timestamp.text(second: model.created ?? modelCreated))
        body.append(#"","lifecycle":"active"}"#)
    }
}
