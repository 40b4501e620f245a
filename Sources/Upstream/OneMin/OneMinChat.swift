import Engine
import Shared

/// One chat call in the vendor's form.
///
/// `@unchecked`: used on its loop only.
final class OneMinChat: PreparedChat, @unchecked Sendable {
    private let vendor: OneMin
    private let call: UpstreamCall
    /// Where the prompt stands in the call's body.
    private let prompt: Range<Int>
    private let searchesWeb: Bool

    init(_ vendor: OneMin, _ call: UpstreamCall, prompt: Range<Int>, searchesWeb: Bool) {
        self.vendor = vendor
        self.call = call
        self.prompt = prompt
        self.searchesWeb = searchesWeb
    }

    var promptTokens: Int {
        var estimate = TokenEstimate()
        if let body = call.body { estimate.add(body.bytes[part: prompt]) }
        return max(1, estimate.tokens)
    }

    func answer() async throws(UpstreamError) -> ChatReply {
        let answer = try await vendor.record(of: call)
        let record = try OneMinRecord(answer.bytes, vendor.parser)
        return ChatReply(
            text: Body(searchesWeb ? ProgressFilter.filtered(record.text) : record.copy()),
            usage: record.usage,
            credits: record.credits
        )
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        OneMinStream(try await vendor.opened(call), vendor.parser, searchesWeb: searchesWeb)
    }
}
