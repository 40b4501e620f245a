package import Engine

/// The tools of a request that may go on to its vendor as it came: they are checked, but only read if somebody needs them.
package final class UnreadTools: Sendable {
    private struct State {
        var request: Body?
        var tools: [Wishes.Tool]?
    }

    private let read: @Sendable (Body) -> [Wishes.Tool]
    private let state = Lock(State())

    /// - Parameter read: reads the tools of a request.
    package init(_ read: @escaping @Sendable (Body) -> [Wishes.Tool]) { self.read = read }

    /// The request as it came, which is set before anybody asks for the tools; nil: they have been read.
    package var request: Body? {
        get { state.withLock { $0.request } }
        set { state.withLock { $0.request = newValue } }
    }

    /// The tools, which are read once. May be called on any thread.
    package var tools: [Wishes.Tool] {
        state.withLock { state in
            if let known = state.tools { return known }
            guard let request = state.request else { return [] }
            let tools = read(request)
            state = State(request: nil, tools: tools)
            return tools
        }
    }
}
