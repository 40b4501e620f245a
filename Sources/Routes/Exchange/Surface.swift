import Calls
import Engine
import Limits
import Shared
import Upstream

/// The use of the response cache by one request.
protocol RequestCaching: AnyObject, Sendable {
    var state: CacheState { get }
    /// The vendor's name of the model that produced the cached response; nil if none was found.
    var servedModel: String? { get }
    /// Ends the use of the cache, since the request has ended.
    func end()
}

/// The state that the header `X-Relay-Cache` reports.
enum CacheState {
    /// The request does not use the cache.
    case off
    case miss
    case hit

    var line: StaticString {
        switch self {
        case .off: "X-Relay-Cache: off\r\n"
        case .miss: "X-Relay-Cache: miss\r\n"
        case .hit: "X-Relay-Cache: hit\r\n"
        }
    }
}

/// The form of the responses of one family of endpoints, errors included.
protocol Surface: Sendable {
    /// Appends an error.
    ///
    /// - Parameter isMidStream: whether an event stream has begun; if not, the error is the whole body.
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer)
    func status(of error: APIError) -> Int
    /// Appends the header lines that only this surface has.
    ///
    /// - Parameter standing: the state of the limits that apply to the request; nil if there are none.
    func appendFields(_ requestID: String, _ standing: Decision?, to fields: inout ByteBuffer)
}

extension Surface {
    func status(of error: APIError) -> Int { error.status }

    func appendFields(_ requestID: String, _ standing: Decision?, to fields: inout ByteBuffer) {}
}

/// A surface of chat requests.
protocol ChatSurface: Surface {
    /// The API of the surface's requests, if vendors may accept them unchanged; else nil.
    var wire: Wire? { get }
    /// Whether responses may be cached.
    var mayKeep: Bool { get }
    /// Reads a request.
    ///
    /// - Parameters:
    ///   - root: the body, valid only during the call.
    ///   - defaultModel: the model for a request that names none.
    func read(_ root: JSONValue, defaultModel: String?) throws(APIError) -> ChatRequest
    /// Reads a request whose raw body is kept (`ChatCall.keep`), so that tools may be left unread in it.
    ///
    /// - Parameter reading: how much of the tools is read.
    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest
    /// Returns everything that could serve the call: candidates or a panel.
    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> ChatTarget
}

extension ChatSurface {
    var wire: Wire? { nil }
    var mayKeep: Bool { true }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        try read(root, defaultModel: defaultModel)
    }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> ChatTarget {
        try exchange.gateway.registry.target(asked.call.model, for: caller)
    }
}

/// A chat request that its surface has read. A class: a call is expensive to copy, and takes much room in the frames of
/// async functions.
///
/// `@unchecked`: created on some thread, used by one thread at a time.
final class ChatRequest: @unchecked Sendable {
    var call: ChatCall
    let formatter: any ChatResponseFormatter

    init(_ call: consuming ChatCall, _ formatter: any ChatResponseFormatter) {
        self.call = call
        self.formatter = formatter
    }

    /// Moves the call out of the request.
    func removeCall() -> ChatCall {
        var taken = ChatCall()
        swap(&taken, &call)
        return taken
    }

    /// Adds what the request refers to, such as a stored response.
    @inline(never)
    func resolve(for caller: Caller, _ exchange: Exchange) async throws(APIError) {
        call = try await formatter.resolved(call, for: caller, exchange)
    }
}

/// The response to one request in its surface's form. It keeps the fields of the request that the response repeats.
protocol ChatResponseFormatter: Sendable {
    /// Whether the request refers to stored data, which `resolved` adds.
    var hasReferences: Bool { get }
    func resolved(_ call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> ChatCall
    /// Creates the writer of a stream. Called before the vendor, so that the writer can send pings meanwhile.
    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter
    /// Sends a complete response.
    ///
    /// - Parameter usage: the usage of the response, counted or estimated.
    func write(
        _ response: ChatResponse,
        _ usage: Usage,
        _ wanted: FormatterOptions,
        _ exchange: Exchange
    )
        async throws(UpstreamError)
}

extension ChatResponseFormatter {
    var hasReferences: Bool { false }

    func resolved(_ call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> ChatCall {
        call
    }
}

/// Writes a streamed response. Used on its request's loop.
protocol ChatStreamWriter: AnyObject, Sendable {
    func write(_ choice: Int, _ event: ChatEvent)
    /// Begins the response with a text, before the first event.
    func begin(with text: StaticString)
    /// Shows the client that the relay still works.
    func ping()
    /// Whether the collected output should be sent before more is added.
    var isFull: Bool { get }
    /// Sends the collected output, and waits if the client reads too slowly. Throws if there is no memory for what the
    /// writer keeps.
    func flush() async throws(UpstreamError)
    /// Sends the collected output without waiting.
    func flushNow()
    func end(_ usage: Usage) async
}

extension ChatStreamWriter {
    func begin(with text: StaticString) {
        write(0, .text(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)))
    }
}
