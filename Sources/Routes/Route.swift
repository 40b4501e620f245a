import Engine
import Shared

/// One route of the router: a method, a path, and the function that handles the requests.
struct Route: Sendable {
    typealias Handle = @Sendable (Exchange, Gateway) async throws(APIError) -> Void
    enum Endpoint: Sendable {
        case function(Handle)
        case chat(any ChatSurface)
    }
    enum PathKind: Sendable {
        /// The path is served under `/v1` and also without `/v1`.
        case api
        /// The path is served under `/v1` only.
        case versioned
        /// The path is served without `/v1` only.
        case own
        /// The path is served without `/v1` only, and only if it is spelled exactly: without escapes and extra slashes.
        case service
        /// The path is served without `/v1` only, in exactly one spelling. Its requests are polls (see
        /// `RequestRecord.isPolled`).
        case probe

        var isExact: Bool { self == .service || self == .probe }
    }

    /// The kind of text that follows the route's path in a request, such as an id.
    enum PathRest: Sendable {
        case none
        /// Any text that is not empty, such as the id in `/files/{id}`.
        case whole
        /// Any text that is not empty, followed by this ending, such as `/content` in `/files/{id}/content`.
        case endingIn(StaticString)
    }

    let method: Method
    let path: StaticString
    let pathKind: PathKind
    let rest: PathRest
    /// The name of the route in the metrics and in the log.
    let label: StaticString
    /// A function that returns whether the settings enable the route; nil if the route is always enabled.
    private(set) var setting: (@Sendable (Settings) -> Bool)?
    /// The surface of the route, which determines the format of error responses.
    private(set) var surface: any Surface
    let endpoint: Endpoint

    init(
        _ method: Method,
        _ path: StaticString,
        pathKind: PathKind = .api,
        rest: PathRest = .none,
        label: StaticString? = nil,
        handle: @escaping Handle
    ) {
        self.method = method
        self.path = path
        self.pathKind = pathKind
        self.rest = rest
        self.label = label ?? path
        surface = OpenAIChat()
        endpoint = .function(handle)
    }

    init(_ method: Method, _ path: StaticString, speaks surface: any ChatSurface, pathKind: PathKind = .api) {
        self.method = method
        self.path = path
        self.pathKind = pathKind
        rest = .none
        label = path
        self.surface = surface
        endpoint = .chat(surface)
    }

    /// Returns a copy of this route whose errors have the format of the API `surface`.
    func speaking(_ surface: any Surface) -> Route {
        var route = self
        route.surface = surface
        return route
    }

    /// Returns a copy of this route that is enabled only if `setting` returns true.
    func onlyWith(_ setting: @escaping @Sendable (Settings) -> Bool) -> Route {
        var route = self
        route.setting = setting
        return route
    }

    /// Returns whether a request's path belongs to this route.
    /// - Parameters:
    ///   - path: the path without `/v1`.
    ///   - isVersioned: whether the full path begins with `/v1`.
    func matches(_ path: UnsafeRawBufferPointer, isVersioned: Bool) -> Bool {
        if pathKind != .api, isVersioned != (pathKind == .versioned) { return false }
        if case .none = rest { return path.equals(self.path) }
        return path.hasPrefix(self.path) && rest(of: path) != nil
    }

    /// Returns the id at the end of a request's path; nil if there is no id.
    func rest(of path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let start = self.path.utf8CodeUnitCount
        var end = path.count
        switch rest {
        case .none: return nil
        case .whole: break
        case .endingIn(let ending):
            end -= ending.utf8CodeUnitCount
            guard end > start, path[part: end..<path.count].equals(ending) else { return nil }
        }
        return end > start ? path[part: start..<end] : nil
    }
}
