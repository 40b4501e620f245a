import Engine

/// The tools of a request that the relay might forward unchanged. The tools are checked at once, but they are parsed
/// only when they are needed.
package final class UnreadTools: Sendable {
    private struct State {
        var request: OriginalRequest?
        var tools: [ChatOptions.Tool]?
    }

    private let read: @Sendable (OriginalRequest) -> [ChatOptions.Tool]
    private let state = Lock(State())

    /// Creates the tools of a request without parsing them.
    ///
    /// - Parameter read: parses the tools in the body of the request.
    package init(_ read: @escaping @Sendable (OriginalRequest) -> [ChatOptions.Tool]) { self.read = read }

    /// The request that contains the tools; nil once the tools have been parsed. Must be set before `tools` is used.
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
