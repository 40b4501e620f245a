import Engine
import Shared
import Upstream

/// Handles GET /admin/config: shows the effective settings and the last actions of operators.
func showSettings(_ visit: AdminVisit) async throws(APIError) {
    let listing = visit.admin.listing.withLock { $0 }
    let settings = listing.settings.map { setting -> JSONFragment in
        #"""
        {"name":\#(setting.name),"value":\#(setting.shown),"source":\#(setting.location),"changed":\#(setting.isGiven)}
        """#
    }
    let actions = visit.admin.trail.all.map { action -> JSONFragment in
        #"""
        {"time":\#(time: action.time),"user":\#(action.user),"address":\#(action.address),"act":\#(action.act),\#
        "target":\#(action.target)}
        """#
    }
    visit.send(
        data: #"""
            {"sources":\#(listing.sources),"content":\#(listing.content),"settings":\#(settings),\#
            "warnings":\#(listing.warnings),"waiting_for_restart":\#(listing.waiting),"actions":\#(actions)}
            """#
    )
}

/// Handles POST /admin/reload: reloads the settings of this instance.
func reloadByOperator(_ visit: AdminVisit) async throws(APIError) {
    guard visit.gateway.settings.reloadAccess != .off else {
        throw APIError(403, "RELOAD_ACCESS=off: settings are read at the start only")
    }
    guard let reloader = visit.gateway.process.reloader.withLock({ $0 }) else { throw APIError(404, "Not found") }
    visit.record("reload")
    try await visit.exchange.sendReload(by: reloader, on: visit.gateway.loop, instance: visit.admin.instance)
}

/// Handles GET /admin/clients: sends the texts with which an operator sets up a caller's programs to use this relay.
func listClients(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let callers = visit.gateway.settings.callersToSetUp
    let kind = try fields.choice("kind", ["known", "anonymous", "passthrough"])
    let chosen = callers.first { choice in
        (kind == nil || choice.kind == kind) && (fields["key"] == nil || choice.caller.key?.name == fields["key"])
    }
    guard let chosen else { throw APIError(404, "There is no caller of this kind and name.") }
    let listed = visit.gateway.registry.modelCatalog.listed(for: chosen.caller)
    let models = (listed.filter { $0.features.contains(.chat) } + listed.filter { !$0.features.contains(.chat) })
        .prefix(maxListedModels).map(\.id)
    guard fields["model"] == nil || models.contains(where: { $0 == fields["model"] }) else {
        throw APIError(404, "The caller may not use a model of this name.")
    }
    let model = fields["model"] ?? models.first
    let address = apiAddress(visit.request, visit.gateway.settings, isAdmin: visit.admin.hasOwnAdminSocket)
    let items = model.map { ClientSetup.all(address: address, model: $0) } ?? []
    visit.send(
        items.map { #"{"name":\#($0.name),"place":\#($0.destination),"text":\#($0.text)}"# },
        total: items.count,
        [
            ("address", "\(address)"), ("kind", "\(chosen.kind)"), ("key", "\(chosen.caller.key?.name)"),
            ("model", "\(model)"), ("models", "\(models)"),
            ("callers", "\(callers, each: { #"{"kind":\#($0.kind),"key":\#($0.caller.key?.name)}"# })"),
        ]
    )
}

private let maxListedModels = 1_000

extension Settings {
    /// The callers that the settings allow to use the relay, each with its kind, such as `anonymous`. Keys that are off or
    /// have expired come last.
    fileprivate var callersToSetUp: [(kind: String, caller: Caller)] {
        let now = Timestamp.now()
        let ended = keys.filter { $0.endsAt ?? .max <= now }
        func known(_ keys: [KeySettings]) -> [(kind: String, caller: Caller)] {
            keys.map { ("known", Caller(known: $0)) }
        }
        var callers = known(keys.filter { $0.endsAt ?? .max > now })
        if !anonymousModels.isEmpty { callers.append(("anonymous", Caller(anonymousWith: anonymousModels))) }
        if providers.contains(where: \.isPassthrough) { callers.append(("passthrough", .visitor)) }
        return callers + known(ended)
    }
}
