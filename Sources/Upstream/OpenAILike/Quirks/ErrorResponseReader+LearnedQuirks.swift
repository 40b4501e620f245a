import Calls
import Engine
import Shared

extension ErrorResponseReader {
    /// Returns the quirk that an error response reveals; nil if there is no new quirk.
    ///
    /// - Parameters:
    ///   - request: the refused request.
    ///   - known: the quirks for which the refused request was already changed.
    func quirk(
        _ head: UpstreamHead,
        _ body: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks
    ) -> QuirkFinding? {
        guard [400, 422, 500].contains(head.status), case let vendorError = vendorError(head, body),
            !isSpecial(vendorError)
        else {
            return nil
        }
        let refused = RefusedRequest(vendorError, RawJSON(request.bytes), known)
        // Some servers report an error of the model's chat template with status 500.
        return head.status == 500 ? refused.quirkOfTurns.map { refused.scoped($0) } : refused.finding
    }
}
