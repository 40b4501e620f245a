import Engine
import Limits
import Shared
import Upstream

/// Handles GET /admin/instances: lists the instances of the relay that share its memcached.
func listInstances(_ visit: AdminVisit) async throws(APIError) {
    let all = instanceRows(visit)
    visit.send(all, total: all.count)
}

/// Returns all instances, each with the age of its figures. The state of the store as an instance saw it is unknown if
/// the figures are old.
func instanceRows(_ visit: AdminVisit) -> [JSONFragment] {
    let own = visit.gateway.limiter.isStoreAvailable.map { $0 ? "ok" : "unavailable" } ?? "none"
    return visit.admin.board.all(at: visit.gateway.loop.now).map { instance in
        let (entry, figures) = (instance.entry, instance.entry.figures)
        let store = instance.isOwn ? own : instance.ageSeconds > maxStoreAgeSeconds ? "unknown" : figures.store
        return #"""
            {"name":\#(entry.name),"version":\#(entry.version),"started_at":\#(entry.startedAt / 1_000),\#
            "requests_per_minute":\#(figures.requestsPerMinute),"running":\#(figures.running),\#
            "memory_mb":\#(figures.memoryMegabytes),"longest_turn_ms":\#(figures.longestTurnMilliseconds),\#
            "store":\#(store),"settings":\#(entry.settings),"silent":\#(instance.isSilent),\#
            "seen_at":\#(entry.seenAt / 1_000),"age_s":\#(instance.ageSeconds)}
            """#
    }
}

/// The age up to which another instance's view of the store counts: it writes its figures every ten seconds.
private let maxStoreAgeSeconds = 20

/// Handles GET /admin/running: lists the requests that are running in this instance.
func listRunning(_ visit: AdminVisit) async throws(APIError) {
    let running = await visit.gateway.process.running.all(on: visit.gateway.loop)
    let items = running.map { request -> JSONFragment in
        #"""
        {"id":\#(request.id),"caller":\#(request.caller),"model":\#(request.model),"provider":\#(request.provider),\#
        "age_ms":\#(request.ageMilliseconds),"waiting_for":\#(request.wait?.rawValue),\#
        "bytes":\#(request.bytes)}
        """#
    }
    visit.send(items, total: items.count)
}
