import Engine
import Shared

/// One route of the admin API, with its texts for the API reference.
struct AdminRoute: Sendable {
    typealias Handle = @Sendable (AdminVisit) async throws(APIError) -> Void

    /// The condition under which a request may use an admin route.
    enum Access: Sendable {
        case everybody
        /// The client must have an admin session.
        case reader
        /// The client must have an admin session. Without a token, the request must come from the relay's own pages.
        case writer
    }

    /// A field in the query or the body of an admin request, for the API reference.
    struct Field: Sendable {
        let name: String
        let meaning: String

        init(_ name: String, _ meaning: String) {
            self.name = name
            self.meaning = meaning
        }
    }

    let method: Method
    /// The path of the route. Names in braces stand for variable parts: `/admin/req_logs/{id}`.
    let path: String
    let access: Access
    /// The description of the route in the API reference.
    let summary: String
    private(set) var fields: [Field] = []
    /// An example of the response's body for the API reference.
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

    /// Returns a copy of this route with descriptions of the fields that its requests can have.
    func taking(_ fields: Field...) -> AdminRoute {
        var route = self
        route.fields = fields
        return route
    }

    static func parts(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: true)
    }

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
