import Engine
import Shared

/// One line of the router's table.
struct Route: Sendable {
    typealias Handle = @Sendable (Exchange, Gateway) async throws(APIError) -> Void
    enum PathPosition: Sendable {
        /// Under `/v1`, and also without it.
        case api
        /// Under `/v1` only.
        case versioned
        /// Without `/v1` only.
        case own
        /// Without `/v1` only, and with exactly one spelling.
        case service
        /// Without `/v1` only, and with exactly one spelling. Machines poll the path, so its requests are not logged.
        case probe

        var isExact: Bool { self == .service || self == .probe }
    }

    /// The text that may follow the path.
    enum PathRest: Sendable {
        case none
        /// Any text that is not empty.
        case whole
        /// Any text that is not empty, followed by this ending.
        case endingIn(StaticString)
    }

    let method: Method
    let path: StaticString
    let position: PathPosition
    let rest: PathRest
    /// The name of the route in counters and in the log.
    let label: StaticString
    /// The setting that the route depends on; nil if the route is always there.
    private(set) var setting: (@Sendable (Settings) -> Bool)?
    /// The surface that writes errors.
    private(set) var surface: any Surface
    let handle: Handle

    init(
        _ method: Method,
        _ path: StaticString,
        position: PathPosition,
        rest: PathRest = .none,
        label: StaticString? = nil,
        handle: @escaping Handle
    ) {
        self.method = method
        self.path = path
        self.position = position
        self.rest = rest
        self.label = label ?? path
        surface = OpenAIChat()
        self.handle = handle
    }

    /// Creates the route of a chat endpoint.
    init(_ method: Method, _ path: StaticString, speaks surface: any ChatSurface, position: PathPosition = .api) {
        self.method = method
        self.path = path
        self.position = position
        rest = .none
        label = path
        self.surface = surface
        handle = { (exchange, _) async throws(APIError) in try await chat(surface, exchange) }
    }

    /// Returns this route with another form of errors.
    func speaking(_ surface: any Surface) -> Route {
        var route = self
        route.surface = surface
        return route
    }

    /// Returns this route for relays with a setting alone.
    func onlyWith(_ setting: @escaping @Sendable (Settings) -> Bool) -> Route {
        var route = self
        route.setting = setting
        return route
    }

    /// Returns whether the route has this path, which is given without `/v1`.
    func matches(_ path: UnsafeRawBufferPointer, isVersioned: Bool) -> Bool {
        if position != .api, isVersioned != (position == .versioned) { return false }
        if case .none = rest { return path.equals(self.path) }
        return path.hasPrefix(self.path) && rest(of: path) != nil
    }

    /// Returns the id that follows `path`; nil if the route has no id or the path lacks it.
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
