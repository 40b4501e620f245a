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
        let reply: UpstreamReply
        do throws(TransportError) {
            reply = try await vendor.transport.send(call)
        } catch {
            throw UpstreamError(error)
        }
        let bytes = reply.body.bytes
        guard reply.head.status == 200 || reply.head.status == 201 else {
            throw UpstreamError(reply.head, bytes, vendor.parser)
        }
        let record = try OneMinRecord(bytes, vendor.parser)
        return ChatReply(
            text: Body(searchesWeb ? ProgressFilter.filtered(record.text) : record.copy()),
            usage: record.usage,
            credits: record.credits
        )
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        let stream: any UpstreamStream
        do throws(TransportError) {
            stream = try await vendor.transport.open(call)
        } catch {
            throw UpstreamError(error)
        }
        guard stream.head.status == 200 || stream.head.status == 201 else {
            throw await vendor.refusal(stream)
        }
        return OneMinStream(stream, vendor.parser, searchesWeb: searchesWeb)
    }
}
