import Engine
import Limits
import Shared
import Upstream

/// An endpoint for media or embeddings, whose requests are forwarded or served in the relay's own form.
struct MediaEndpoint: Sendable {
    let forwarded: ForwardedEndpoint
    let group: EndpointGroup
    /// The model for a request that names no model; nil if there is no default.
    var defaultModel: String?
    /// The features of models that can serve a request in the relay's own form.
    var features: Model.Features = []
    var acceptsForms = false
    /// Whether another model may replace a model that the vendor has shut down; false if results of different models
    /// cannot be compared.
    var allowsSubstitutes = true
    /// Reads the fields of a JSON body by which the request is limited.
    var read: @Sendable (inout ForwardedFields, JSONValue) throws(APIError) -> Void = { (_, _) throws(APIError) in }
    /// Makes the request in the relay's own form; nil if requests can only be forwarded.
    var operation: (@Sendable (Exchange, Caller, RequestContent) -> any MediaOperation)?

    var isOfRecordings: Bool { acceptsForms && group == .audio }

    func serve(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
        guard operation != nil || gateway.registry.forwards(forwarded) else { throw .notOffered(forwarded.path) }
        let caller = try await exchange.caller(group)
        let content = RequestContent(exchange)
        let operation = operation?(exchange, caller, content)
        if let plan = try await exchange.forwardingPlan(self, content, for: caller, or: operation) {
            return try await exchange.serve(plan, for: caller)
        }
        guard let operation else {
            let name = exchange.record.model ?? ""
            if name.isEmpty { throw gateway.registry.modelCatalog.notFound(name, for: caller) }
            _ = try gateway.registry.resolve(.forwarded(name, to: forwarded, substituting: false), for: caller)
            let text = "No provider of this model has \(forwarded.path). Choose another model."
            throw APIError(404, text, code: "unsupported_endpoint")
        }
        let (model, fields, features) = try await operation.read()
        exchange.record.model = model
        let all = try await operation.candidates(gateway.registry.candidates(model, for: caller, able: features))
        let plan = MediaPlan(
            endpoint: self,
            model: model ?? all.leading.name,
            fields: fields,
            candidates: all,
            operation: operation
        )
        try await exchange.serve(plan, for: caller)
    }
}
