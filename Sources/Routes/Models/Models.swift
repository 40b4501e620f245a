import Engine
import Limits
import Shared
import Upstream

/// Handles GET /v1/models: lists the models that the caller may use.
func listModels(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let isAnthropics = speaksOfMessages(exchange)
    let listed = try await visibleModels(exchange, gateway).models
    let kind = try ModelKind.named(in: exchange.request)
    let models = listed.filter { kind?.includes($0) ?? true }
    if isAnthropics { return exchange.send(json: try ModelPage(models, exchange.request).json) }
    // Codex reads this list, whose entries would replace its own prompts, and complains if there is none.
    let isCodex = exchange.request.queryFields.contains { $0.name == "client_version" }
    let ofCodex: [String]? = isCodex ? [] : nil
    exchange.send(json: #"{"object":"list","data":\#(models, each: json)\#(member: "models", ofCodex)}"#)
}

/// Handles GET /v1/models/{id}: describes one model. The id may contain slashes, plain or escaped.
func showModel(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let isAnthropics = speaksOfMessages(exchange)
    let (models, caller) = try await visibleModels(exchange, gateway)
    let id = exchange.named ?? ""
    let ruled = gateway.registry.modelCatalog.ruledName(id)
    let found =
        models.first { $0.id.hasSameBytes(as: id) } ?? models.first { $0.id.hasSameBytes(as: ruled) }
        ?? gateway.registry.modelCatalog.searching(id, among: models)
    guard let model = found else { throw gateway.registry.missing(id, for: caller) }
    exchange.send(json: isAnthropics ? ModelPage.json(model) : json(model))
}

/// Returns whether an Anthropic client sent the request. If so, sets Anthropic's format for errors.
private func speaksOfMessages(_ exchange: Exchange) -> Bool {
    guard exchange.request[.anthropicVersion] != nil || exchange.request.path.hasPrefix("/anthropic/") else {
        return false
    }
    exchange.surface = AnthropicMessages()
    return true
}

private func visibleModels(
    _ exchange: Exchange,
    _ gateway: Gateway
) async throws(APIError) -> (models: [ModelCatalog.Listed], caller: Caller) {
    if gateway.callers.hasOnlyPassthroughProviders, try exchange.request.bearer() == nil {
        _ = try await exchange.admit(.visitor, .models)
        return (gateway.registry.modelCatalog.listed(for: .visitor), .visitor)
    }
    let caller = try await exchange.caller(.models)
    _ = try await exchange.admit(caller, .models)
    let refusers = try await exchange.check(caller)
    return (gateway.registry.modelCatalog.listed(for: caller, refusedBy: refusers), caller)
}

/// The kinds of models by which the query parameter `type` filters the list of models.
private enum ModelKind: String {
    case chat
    case image
    case speech
    case transcription

    /// Returns the model kind in the query parameter `type`; nil if the parameter is absent.
    static func named(in request: Request) throws(APIError) -> ModelKind? {
        guard let wanted = request.queryFields.first(where: { $0.name == "type" })?.text else { return nil }
        guard let kind = ModelKind(rawValue: wanted) else {
            throw .value("type", "must be one of chat, image, speech and transcription")
        }
        return kind
    }

    /// Returns whether a model is of this kind. A model with several features is of several kinds.
    func includes(_ model: ModelCatalog.Listed) -> Bool { !model.features.isDisjoint(with: features) }

    private var features: Model.Features {
        switch self {
        case .chat: [.chat, .code]
        case .image: [.image, .imageEdit, .imageInpaint, .imageVariation]
        case .speech: .textToSpeech
        case .transcription: .speechToText
        }
    }
}

/// The creation time that is shown for models whose creation time is unknown: 2024-09-26 (UTC).
let modelCreated = 1_727_389_042

private func json(_ model: ModelCatalog.Listed) -> JSONFragment {
    #"""
    {"id":\#(model.id),"object":"model","created":\#(model.created ?? modelCreated),"owned_by":\#(model.owner)\#
    \#(member: "shutdown_date", model.shutdownDate?.text)\#(members: model.facts.members)}
    """#
}
