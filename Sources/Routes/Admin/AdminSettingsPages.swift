import Calls
import Engine
import Shared

/// GET /admin/config
func showSettings(_ visit: AdminVisit) async throws(APIError) {
    let listing = visit.admin.listing.withLock { $0 }
    var data = ByteBuffer()
    data.append(#"{"sources":"#)
    data.append(jsonList: listing.sources)
    data.append(#","content":"#)
    data.append(json: listing.content)
    data.append(#","settings":["#)
    for (index, setting) in listing.settings.enumerated() {
        data.append(index == 0 ? #"{"name":"# : #",{"name":"#)
        data.append(json: setting.name)
        data.append(#","value":"#)
        data.append(json: setting.shown)
        data.append(#","source":"#)
        data.append(json: setting.place)
        data.append(setting.isGiven ? #","changed":true}"# : #","changed":false}"#)
    }
    data.append(#"],"warnings":"#)
    data.append(jsonList: listing.warnings)
    data.append(#","actions":["#)
    var timestamp = Timestamp()
    for (index, action) in visit.admin.trail.all.enumerated() {
        data.append(index == 0 ? #"{"time":""# : #",{"time":""#)
        timestamp.append(milliseconds: action.time, to: &data)
        data.append(#"","user":"#)
        data.append(json: action.user)
        data.append(#","address":"#)
        data.append(json: action.address)
        data.append(#","act":"#)
        data.append(json: action.act)
        data.append(#","target":"#)
        data.append(json: action.target)
        data.append("}")
    }
    data.append("]}")
    visit.send(data: data)
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

extension ByteBuffer {
    fileprivate mutating func append(jsonList texts: [String]) {
        append("[")
        for (index, text) in texts.enumerated() {
            if index > 0 { append(",") }
            append(json: text)
        }
        append("]")
    }
}
