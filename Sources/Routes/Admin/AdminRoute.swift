import Engine
import Shared

/// One route of the admin API. `docs/admin-api.md` describes them.
struct AdminRoute: Sendable {
    typealias Handle = @Sendable (AdminVisit) async throws(APIError) -> Void

    /// The condition under which a request may use an admin route.
    enum Access: Sendable {
        case everybody
        /// The client must have an admin session.
        case reader
        /// The client must have an admin session that may change something. Without a token, the request must come from the
        /// relay's own pages.
        case writer
    }

    let method: Method
    /// The path of the route. Names in braces stand for variable parts: `/admin/req_logs/{id}`.
    let path: String
    let access: Access
    /// The names of the query parameters, of a POST route those of the body's members; nil if any may be there.
    let parameters: [String]?
    let handle: Handle
    private let parts: [Substring]

    private init(
        _ method: Method,
        _ path: String,
        _ access: Access,
        takes parameters: [String]? = [],
        _ handle: @escaping Handle
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.parameters = parameters
        self.handle = handle
        parts = Self.parts(path)
    }

    /// All admin routes, in the order of their descriptions in the API reference.
    static let all = [
        AdminRoute(.get, "/admin", .everybody, takes: nil, showAdminPage),
        AdminRoute(.post, "/admin/login", .everybody, takes: ["username", "password"], logIn),
        AdminRoute(.get, "/admin/logout", .everybody, logOut),
        AdminRoute(.get, "/admin/req_logs", .reader, takes: RecordFields.names, listRecords),
        AdminRoute(.get, "/admin/req_figures", .reader, takes: RecordFields.filterNames, showRecordFigures),
        AdminRoute(.get, "/admin/req_logs/{id}", .reader, showRecord),
        AdminRoute(.delete, "/admin/req_logs/{id}", .writer, deleteRecords),
        AdminRoute(.delete, "/admin/req_logs/bulkDelete/{ids}", .writer, deleteRecords),
        AdminRoute(.get, "/admin/running", .reader, listRunning),
        AdminRoute(.get, "/admin/overview", .reader, showOverview),
        AdminRoute(.get, "/admin/live", .reader, streamOverview),
        AdminRoute(.get, "/admin/usage", .reader, takes: ["by", "from", "to", "format"], showUsage),
        AdminRoute(.get, "/admin/timeline", .reader, takes: timelineFields, showTimeline),
        AdminRoute(.get, "/admin/statistics", .reader, showStatistics),
        AdminRoute(.get, "/admin/statistics_model_day", .reader, showModelDays),
        AdminRoute(.get, "/admin/keys", .reader, listKeys),
        AdminRoute(.get, "/admin/limits", .reader, takes: ["caller", "page"], listLimits),
        AdminRoute(.post, "/admin/limits/reset", .writer, takes: ["caller", "id"], resetLimit),
        AdminRoute(.post, "/admin/limits/give-back", .writer, takes: ["caller", "id", "amount"], giveBack),
        AdminRoute(.get, "/admin/provider", .reader, listProviders),
        AdminRoute(.post, "/admin/provider/{name}/resume", .writer, takes: ["key"], resumeProvider),
        AdminRoute(.get, "/admin/instances", .reader, listInstances),
        AdminRoute(.get, "/admin/quirks", .reader, listQuirks),
        AdminRoute(.delete, "/admin/quirks/{id}", .writer, forgetQuirk),
        AdminRoute(.get, "/admin/req_cache", .reader, takes: cacheFields, listCache),
        AdminRoute(.get, "/admin/req_cache/{id}", .reader, showCached),
        AdminRoute(.get, "/admin/req_cache/md5/{md5}", .reader, showCached),
        AdminRoute(.delete, "/admin/req_cache/{id}", .writer, deleteCached),
        AdminRoute(.delete, "/admin/req_cache/md5/{md5}", .writer, deleteCached),
        AdminRoute(.delete, "/admin/req_cache/bulkDelete/{ids}", .writer, deleteCached),
        AdminRoute(.delete, "/admin/req_cache", .writer, clearCache),
        AdminRoute(.get, "/admin/config", .reader, showSettings),
        AdminRoute(.get, "/admin/clients", .reader, takes: ["kind", "key", "model"], listClients),
        AdminRoute(.post, "/admin/reload", .writer, reloadByOperator),
    ]

    private static let timelineFields = [
        "last", "from", "to", "by", "measure", "caller", "model", "provider", "endpoint", "format",
    ]
    private static let cacheFields = ["keywords", "per_page", "page", "order_by", "order_dir"]

    static func parts(_ path: String) -> [Substring] { path.split(separator: "/", omittingEmptySubsequences: true) }

    /// Returns the path's variable parts by name; nil if the path does not fit this route.
    func values(in path: [Substring]) -> [String: String]? {
        guard path.count == parts.count else { return nil }
        var values: [String: String] = [:]
        for (part, given) in zip(parts, path) {
            if part.first == "{" {
                values[String(part.dropFirst().dropLast())] = String(given)
            } else if !part.utf8.elementsEqual(given.utf8) {
                return nil
            }
        }
        return values
    }
}
