import Engine

/// The tools of a request that may be forwarded unchanged. They are checked at once, but read only if they are needed.
package final class UnreadTools: Sendable {
    private struct State {
        var request: OriginalRequest?
        var tools: [ChatOptions.Tool]?
    }

    private let read: @Sendable (OriginalRequest) -> [ChatOptions.Tool]
    private let state = Lock(State())

    /// Creates the tools of a request.
    ///
    /// - Parameter read: reads the tools from the request's body.
    package init(_ read: @escaping @Sendable (OriginalRequest) -> [ChatOptions.Tool]) { self.read = read }

    /// The body of the request, set before `tools` is used; nil once the tools have been read.
    package var request: OriginalRequest? {
        get { state.withLock { $0.request } }
        set { state.withLock { $0.request = newValue } }
    }

    /// The tools, which are read once. Can be used on any thread.
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
