import Calls
import Engine
import Shared

/// GET /admin/config
func showSettings(_ visit: AdminVisit) async throws(APIError) {
    let listing = visit.admin.listing.withLock { $0 }
    let settings = listing.settings.map { setting -> JSONFragment in
        #"""
        {"name":\#(setting.name),"value":\#(setting.shown),"source":\#(setting.place),"changed":\#(setting.isGiven)}
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
            "warnings":\#(listing.warnings),"actions":\#(actions)}
            """#
    )
}

/// POST /admin/reload: of the instance that answers.
func reloadByOperator(_ visit: AdminVisit) async throws(APIError) {
    guard visit.gateway.settings.reloadAccess != .off else {
        throw APIError(403, "RELOAD_ACCESS=off: settings are read at the start only")
    }
    guard let reloader = visit.gateway.process.reloader.withLock({ $0 }) else { throw APIError(404, "Not found") }
    visit.record("reload")
    try await reload(by: reloader, visit.exchange, visit.gateway, instance: visit.admin.instance)
}
