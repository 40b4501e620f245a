import Engine
import Shared

/// One line of the table of admin paths: how a request is found, which right it needs, and how the reference describes
/// it.
struct AdminRoute: Sendable {
    typealias Handle = @Sendable (AdminVisit) async throws(APIError) -> Void

    /// The right that a request needs.
    enum Access: Sendable {
        case everybody
        /// A session.
        case reader
        /// A session. If a cookie names the session, the request must come from one of the relay's own pages.
        case writer
    }

    /// A field of the query or of the body.
    struct Field: Sendable {
        let name: String
        let meaning: String

        init(_ name: String, _ meaning: String) {
            self.name = name
            self.meaning = meaning
        }
    }

    let method: Method
    /// The path, with names in braces for parts that differ: `/admin/req_logs/{id}`.
    let path: String
    let access: Access
    /// The sentence about the route in the reference.
    let summary: String
    private(set) var fields: [Field] = []
    /// The response in the reference, as text of the body.
    let response: String
    let handle: Handle
    private let parts: [Substring]

    init(
        _ method: Method,
        _ path: String,
        _ access: Access,
        _ summary: String,
        response: String,
        _ handle: @escaping Handle
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.summary = summary
        self.response = response
        self.handle = handle
        parts = Self.parts(path)
    }

    /// Returns this route with the fields that its requests take.
    func taking(_ fields: Field...) -> AdminRoute {
        var route = self
        route.fields = fields
        return route
    }

    static func parts(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: true)
    }

    /// Returns the parts of a path that stand for names in braces; nil if it is another path.
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
