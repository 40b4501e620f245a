import Engine

/// The tools of a client's request, checked at once but parsed only when needed.
package final class UnreadTools: Sendable {
    private struct State {
        var request: OriginalRequest?
        var tools: [ChatOptions.Tool]?
    }

    private let read: @Sendable (OriginalRequest) -> [ChatOptions.Tool]
    private let state = Lock(State())

    /// Creates the tools of a request. `read` parses the tools in the request's body.
    package init(_ read: @escaping @Sendable (OriginalRequest) -> [ChatOptions.Tool]) { self.read = read }

    /// The request that contains the tools; nil after the tools are parsed. Must be set before `tools` is used.
    package var request: OriginalRequest? {
        get { state.withLock { $0.request } }
        set { state.withLock { $0.request = newValue } }
    }

    /// The tools, which are parsed on first use. Can be used on any thread.
    package var tools: [ChatOptions.Tool] {
        state.withLock { state in
            if let known = state.tools { return known }
            guard let request = state.request else { return [] }
            let tools = read(request)
            state = State(request: nil, tools: tools)
            return tools
        }
    }
}
