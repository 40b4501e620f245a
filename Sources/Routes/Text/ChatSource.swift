import Calls
import Engine
import Shared
import Upstream

/// The candidates or the panel that serve a chat request.
protocol ChatSource: AnyObject, Sendable {
    /// Plans the first call. Throws if nothing can serve the request.
    func outline() async throws(APIError) -> ChatOutline
    /// Counts the request in all limits that apply to it. Throws if a limit refuses it. Needs `outline()` before.
    func admitted() async throws(APIError) -> Admission
    /// Calls vendors until a response has begun. A response that is not streamed is whole then.
    ///
    /// - Parameter notes: the writer of a streamed response, which also gets a panel's progress lines.
    func open(_ billing: Billing, notes: (any ChatStreamWriter)?) async throws(UpstreamError) -> BegunChat
}

/// The facts of a chat's response that are known before the first call.
struct ChatOutline {
    let wanted: FormatterOptions
    /// The name of the model or panel under which the response cache keeps the response; nil if it must not.
    let cachedName: String?
}

/// A response that a vendor has begun.
enum BegunChat: Sendable {
    /// The whole response with its reported, counted or estimated usage.
    case whole(ChatResponse, Usage)
    case stream(ChatDelivery)
}

/// A streamed response that a vendor has begun, with the writer that sends it to the client.
final class OpenChat: Sendable {
    private let delivery: ChatDelivery
    private let writer: any ChatStreamWriter
    private let wanted: FormatterOptions
    /// Ends the request's reservation when the delivery is over.
    private let admission: Admission

    init(
        _ delivery: ChatDelivery,
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        _ admission: consuming Admission
    ) {
        self.delivery = delivery
        self.writer = writer
        self.wanted = wanted
        self.admission = admission
    }

    /// Delivers the response. Returns the failure for the client; nil if the response is complete.
    func failure(delivering exchange: Exchange) async -> APIError? {
        do throws(UpstreamError) {
            try await delivery.run(to: writer, wanted, exchange)
            return nil
        } catch {
            return APIError(error, model: wanted.model)
        }
    }
}
