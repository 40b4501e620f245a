import Engine
import Shared

/// One line of the router's table.
struct Route: Sendable {
    typealias Handle = @Sendable (Exchange, Gateway) async throws(APIError) -> Void
    enum Place: Sendable {
        /// Under `/v1`, and also without.
        case api
        /// Under `/v1` only.
        case versioned
        /// Without `/v1` only.
        case own
        /// The same, with one spelling only.
        case service
        /// The same, asked for by machines all the time: the log is silent about it.
        case probe

        var isExact: Bool { self == .service || self == .probe }
    }

    /// The text that may follow the path.
    enum Rest: Sendable {
        case none
        /// Anything, but not nothing.
        case whole
        /// The same, and then this.
        case endingIn(StaticString)
    }

    let method: Method
    let path: StaticString
    let place: Place
    let rest: Rest
    /// Its name in counts and in the log.
    let label: StaticString
    /// In whose manner errors are told.
    private(set) var surface: any Surface
    let handle: Handle

    init(
        _ method: Method,
        _ path: StaticString,
        _ place: Place,
        rest: Rest = .none,
        label: StaticString? = nil,
        handle: @escaping Handle
    ) {
        self.method = method
        self.path = path
        self.place = place
        self.rest = rest
        self.label = label ?? path
        surface = OpenAIChat()
        self.handle = handle
    }

    /// An endpoint that chats.
    init(_ method: Method, _ path: StaticString, speaks surface: any ChatSurface, _ place: Place = .api) {
        self.method = method
        self.path = path
        self.place = place
        rest = .none
        label = path
        self.surface = surface
        handle = { (exchange, _) async throws(APIError) in try await chat(surface, exchange) }
    }

    /// The same with errors in another manner.
    func speaking(_ surface: any Surface) -> Route {
        var route = self
        route.surface = surface
        return route
    }

    func matches(_ path: UnsafeRawBufferPointer, isVersioned: Bool) -> Bool {
        if place != .api, isVersioned != (place == .versioned) { return false }
        if case .none = rest { return path.equals(self.path) }
        return path.hasPrefix(self.path) && rest(of: path) != nil
    }

    /// The id that follows `path`; nil: none has to, or it is not there.
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
