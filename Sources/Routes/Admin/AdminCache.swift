import Engine
import Limits
import Shared
import Upstream

/// Handles GET /admin/req_cache: lists the cached responses in this process's memory.
func listCache(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let perPage = try fields.number("per_page", 1...200) ?? 10
    let page = try fields.number("page", 1...100_000) ?? 1
    let order = try fields.choice("order_by", ["id", "hit_count", "updated_at", "bytes"]) ?? "id"
    let isDescending = try fields.choice("order_dir", ["asc", "desc"]) != "asc"
    var all = try listedResponses(visit, isDetail: false)
    if let text = fields["keywords"]?.lowercased() {
        all = all.filter { entry in
            [entry.name, entry.model, entry.caller].contains { $0?.lowercased().contains(text) ?? false }
        }
    }
    func rank(_ entry: MemoryCache.Listed) -> (Int, Int) {
        switch order {
        case "hit_count": (entry.hits, entry.number)
        case "updated_at": (entry.usedAt, entry.number)
        case "bytes": (entry.bytes, entry.number)
        default: (entry.number, 0)
        }
    }
    all.sort { isDescending ? rank($0) > rank($1) : rank($0) < rank($1) }
    let size = visit.gateway.cachedResponses.size
    visit.send(
        all.dropFirst((page - 1) * perPage).prefix(perPage).map { JSONFragment(cached: $0) },
        total: all.isEmpty ? size.entries : all.count,
        [
            ("store", "\(visit.gateway.settings.cache?.store.rawValue)"), ("bytes", "\(size.bytes)"),
            ("hits", "\(visit.gateway.cachedResponses.hitCount)"),
        ]
    )
}

/// Returns the cached responses in this process's memory.
/// - Parameter isDetail: whether to throw if the cache is off or is not in memory; if false, the list is then empty.
private func listedResponses(_ visit: AdminVisit, isDetail: Bool) throws(APIError) -> [MemoryCache.Listed] {
    let store = visit.gateway.settings.cache?.store
    if store == .memory { return visit.gateway.cachedResponses.memory.listed(at: visit.gateway.loop.now) }
    // Other stores encrypt the responses with keys that derive from their requests.
    guard isDetail else { return [] }
    guard store != nil else { throw APIError(404, "The cache is off (CACHE).") }
    throw APIError(
        404,
        "Entries of this cache (CACHE_STORE) are sealed by their requests: they can be counted and all deleted."
    )
}

/// Handles GET /admin/req_cache/{id} and /admin/req_cache/md5/{md5}: shows one cached response.
func showCached(_ visit: AdminVisit) async throws(APIError) {
    let all = try listedResponses(visit, isDetail: true)
    let found = all.first { "\($0.number)" == visit.value("id") || $0.name == visit.value("md5") }
    guard let found else { throw APIError(404, "Not found") }
    let hasBodies = visit.gateway.settings.admin?.bodyLimitBytes != nil
    visit.send(data: JSONFragment(cached: found, found.bodies.flatMap { hasBodies ? $0 : nil }))
}

/// Handles DELETE of /admin/req_cache/{id}, /admin/req_cache/md5/{md5} and /admin/req_cache/bulkDelete/{ids}: deletes
/// cached responses.
func deleteCached(_ visit: AdminVisit) async throws(APIError) {
    let all = try listedResponses(visit, isDetail: true)
    let ids = Set((visit.values["ids"] ?? visit.value("id")).split(separator: ",").map(String.init))
    let keys = all.filter { ids.contains("\($0.number)") || $0.name == visit.value("md5") }.map(\.key)
    let count = visit.gateway.cachedResponses.memory.remove(keys)
    guard count > 0 else { throw APIError(404, "Not found") }
    visit.record("delete cache entries", "\(count)")
    visit.sendDone("Deleted")
}

/// Handles DELETE /admin/req_cache: deletes all cached responses.
func clearCache(_ visit: AdminVisit) async throws(APIError) {
    guard let store = visit.gateway.settings.cache?.store else { throw APIError(404, "The cache is off (CACHE).") }
    visit.gateway.cachedResponses.clear()
    if store == .memcached {
        do throws(StoreFailure) {
            try await visit.gateway.cachedResponses.clearShared(on: visit.gateway.loop)
        } catch {
            throw APIError(503, "memcached cannot be reached, so its entries were not deleted. Try again.")
        }
    }
    visit.record("delete cache entries", "all")
    visit.sendDone("Deleted")
}

extension JSONFragment {
    fileprivate init(cached entry: MemoryCache.Listed, _ bodies: KeptBodies? = nil) {
        self = #"""
            {"id":\#(entry.number),"created_at":\#(time: entry.createdAt),"updated_at":\#(time: entry.usedAt),\#
            "md5":\#(entry.name),"req":\#(bodies?.request),"resp":\#(bodies?.response),"hit_count":\#(entry.hits),"model":\#(entry.model),\#
            "caller":\#(entry.caller),"bytes":\#(entry.bytes)}
            """#
    }
}

extension JSONFragment.StringInterpolation {
    /// Appends a time as a JSON string: `"2026-01-31T12:00:00.123Z"`.
    mutating func appendInterpolation(time milliseconds: Int) {
        var text = ByteBuffer()
        var timestamp = Timestamp()
        timestamp.append(milliseconds: milliseconds, to: &text)
        appendInterpolation(text.text)
    }

    /// Appends a number that is given as decimal text; nil becomes `null`.
    mutating func appendInterpolation(number text: String?) { appendLiteral(text ?? "null") }
}
