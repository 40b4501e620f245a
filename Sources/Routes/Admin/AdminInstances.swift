import Calls
import Engine
import Shared

/// Handles GET /admin/instances: lists the instances of the relay that share its memcached.
func listInstances(_ visit: AdminVisit) async throws(APIError) {
    let all = visit.admin.board.all(at: visit.gateway.loop.now)
    visit.send(all.map(JSONFragment.init(instance:)), total: all.count)
}

extension JSONFragment {
    init(instance: InstanceBoard.Listed) {
        let (entry, figures) = (instance.entry, instance.entry.figures)
        self = #"""
            {"name":\#(entry.name),"version":\#(entry.version),"started_at":\#(entry.startedAt / 1_000),\#
            "requests_per_minute":\#(figures.requestsPerMinute),"running":\#(figures.running),\#
            "memory_mb":\#(figures.memoryMegabytes),"longest_turn_ms":\#(figures.longestTurnMilliseconds),\#
            "store":\#(figures.store),"settings":\#(entry.settings),"silent":\#(instance.isSilent),\#
            "seen_at":\#(entry.seenAt / 1_000)}
            """#
    }
}

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
