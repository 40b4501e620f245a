import Engine
import Shared
import Upstream

/// Handles GET /admin/quirks: lists the quirks of vendors that this instance remembers.
func listQuirks(_ visit: AdminVisit) async throws(APIError) {
    let quirks = visit.gateway.quirks.listed()
    visit.send(
        quirks.map { JSONFragment(quirk: $0) },
        total: quirks.count,
        [("shared", "\(visit.admin.shared != nil)")]
    )
}

/// Handles DELETE /admin/quirks/{id}: forgets one quirk, at all instances.
func forgetQuirk(_ visit: AdminVisit) async throws(APIError) {
    guard let quirk = visit.gateway.quirks.forget(id: visit.value("id")) else { throw APIError(404, "Not found") }
    visit.admin.board.add(InstanceOrder(.forget, quirk.id))
    visit.record("forget quirk", "\(quirk.provider) \(quirk.model) \(quirk.quirk)")
    visit.send("Deleted", data: #"{"all_instances":\#(visit.admin.shared != nil)}"#)
}

extension JSONFragment {
    fileprivate init(quirk: QuirkMemory.ListedQuirk) {
        self = #"""
            {"id":\#(quirk.id),"provider":\#(quirk.provider),"model":\#(quirk.model),"quirk":\#(quirk.quirk),\#
            "condition":\#(quirk.condition),"for":\#(quirk.scope),"callers":\#(quirk.callers),\#
            "learned_at":\#(quirk.learnedAt),"ends_at":\#(quirk.endsAt),"words":\#(quirk.words)}
            """#
    }
}
