package import Engine
package import Shared

/// The request for which a panel is asked.
package protocol PanelRequester: ChatRequester {
    var registry: Registry { get }
    /// Counts a call in the limits of its model. Throws if a limit refuses it.
    func admit(
        _ call: PanelCall,
        _ asked: ChatCall,
        _ leading: Candidate,
        for caller: Caller
    ) async throws(UpstreamError)
    /// Records the end of a call in the metrics and in the log.
    func ended(_ call: PanelCall, _ usage: Usage?, _ error: UpstreamError?)
}

/// One call of a panel to a member or to the summary model.
package final class PanelCall: OnLoop, @unchecked Sendable {
    package let billing: Billing
    /// The name of the model that is called, in the panel's settings.
    package let name: String
    /// Whether this call produces the response for the client.
    package let isLast: Bool
    package let startedAt: LoopTime
    /// The billing of the request.
    private let whole: Billing
    private let requester: any PanelRequester

    /// Creates the call, and adds the call's billing to that of the request.
    init(_ name: String, _ whole: Billing, for requester: any PanelRequester, isLast: Bool) {
        self.name = name
        self.whole = whole
        self.requester = requester
        self.isLast = isLast
        billing = whole.part()
        startedAt = requester.services.loop.now
    }

    func choose(_ candidate: Candidate) { if isLast { whole.server = candidate.server } }

    /// Opens the response of the call. Records the call's end in the metrics and in the log; for a streamed response,
    /// its delivery does so.
    func open(_ task: ChatTask) async throws(UpstreamError) -> BegunChat {
        let begun = try await task.open(billing)
        switch begun {
        case .whole(let response): ended(response.usage, nil)
        case .stream(let open): open.ended = ended
        }
        return begun
    }

    func ended(_ usage: Usage?, _ error: UpstreamError?) {
        billing.settle()
        requester.ended(self, usage, error)
    }
}
