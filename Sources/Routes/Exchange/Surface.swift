import Engine
import Limits
import Shared
import Upstream

/// A lookup in the response cache by one request.
protocol RequestCaching: AnyObject, Sendable {
    var state: CacheState { get }
    /// The vendor's name of the cached response's model; nil if no cached response was found.
    var servedModel: String? { get }
    /// Returns whether equal requests wait for the response, of which a slow client has not read `unsentBytes`.
    func isAwaited(unsentBytes: Int) -> Bool
    /// Ends the request's use of the response cache.
    func end()
}

/// The cache state that the response header `X-Relay-Cache` shows.
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

/// An API that the relay offers to clients, with its form of responses and errors.
protocol Surface: Sendable {
    /// Appends an error in the form of this API.
    /// - Parameter isMidStream: whether an event stream has begun. If not, the error is the whole body.
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer)
    func status(of error: APIError) -> Int
    /// Returns whether this API reports an error that comes before the first event as events, with status 200.
    func streams(_ error: APIError) -> Bool
    /// Appends the header lines that only responses of this API have.
    /// - Parameter exchange: nil for a response before the request has an exchange.
    func appendFields(_ requestID: String, of exchange: Exchange?, to fields: inout ByteBuffer)
}

extension Surface {
    /// Appends an error in OpenAI's form.
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        if isMidStream { body.append("data: ") }
        error.appendJSON(to: &body)
        if isMidStream { body.append("\n\n") }
    }

    func status(of error: APIError) -> Int { error.status }
    func streams(_ error: APIError) -> Bool { false }

    func appendFields(_ requestID: String, of exchange: Exchange?, to fields: inout ByteBuffer) {}
}

/// An API that accepts chat requests.
protocol ChatSurface: Surface {
    /// The API of vendors that accept requests of this surface unchanged; nil if there is no such API.
    var wire: Wire? { get }
    /// Whether the relay may cache responses of this surface.
    var mayKeep: Bool { get }
    /// Reads a chat request from its parsed JSON body, which is valid only during the call.
    /// - Parameter reading: the rule by which tool definitions may stay unread; a surface may read all of them.
    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest
    /// Returns the candidates or the panel that can serve the chat call.
    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> Resolution
}

extension ChatSurface {
    var wire: Wire? { nil }
    var mayKeep: Bool { true }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> Resolution {
        try exchange.gateway.registry.resolve(.named(asked.call.model), for: caller)
    }
}

/// A chat request that its surface has read.
///
/// `@unchecked`: it may be created on any thread, and is used by one thread at a time.
final class ChatRequest: @unchecked Sendable {
    var call: ChatCall
    let formatter: any ChatResponseFormatter
    /// Whether the body has the form of another API than its endpoint's, so that it is written anew for each vendor.
    let isOfOtherAPI: Bool
    /// The digest of the body, by which the response cache finds responses; nil if the request does not use the cache.
    var digest: Digest?
    /// The digest of a body with an attribution line, which `digest` leaves out; nil if it has no such line.
    var attributed: Digest?

    init(_ call: consuming ChatCall, _ formatter: any ChatResponseFormatter, isOfOtherAPI: Bool = false) {
        self.call = call
        self.formatter = formatter
        self.isOfOtherAPI = isOfOtherAPI
    }
}

/// A formatter of the response to one chat request, in the format of the request's surface.
protocol ChatResponseFormatter: Sendable {
    /// Whether the request refers to stored data, such as the messages of an earlier response.
    var hasReferences: Bool { get }
    /// Returns whether a vendor of the request's API could answer the request as it came.
    func passes(_ request: OriginalRequest) -> Bool
    /// Adds this data to the call of `asked`, the formatter's own request.
    func resolve(_ asked: ChatRequest, for caller: Caller, _ exchange: Exchange) async throws(APIError)
    /// Creates the writer of a streamed response. The relay calls this function before it calls the vendor.
    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter
    /// Sends a complete (not streamed) response, which has a usage, to the client.
    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError)
}

extension ChatResponseFormatter {
    var hasReferences: Bool { false }

    func passes(_ request: OriginalRequest) -> Bool { true }

    func resolve(_ asked: ChatRequest, for caller: Caller, _ exchange: Exchange) async throws(APIError) {}
}

/// A writer of a streamed response. It is used on the event loop of its request only.
protocol ChatStreamWriter: ProgressNotes {
    /// Sends a sign of life to the client while the relay waits for the vendor.
    func ping()
    /// Sets the prompt tokens with which the response begins. Called before its first event.
    func expect(_ prompt: PromptCount)
    /// Whether the collected output should be sent before more output is added.
    var isFull: Bool { get }
    /// The reason why no more output can be added: memory is short, or the output is too long. Nil if there is none.
    var failure: UpstreamError? { get }
    /// Ends a choice that the relay cuts off, as if it had met the client's own limit.
    func finishEarly(_ choice: Int)
    func end(_ usage: Usage) async
}

extension ChatStreamWriter {
    func finishEarly(_ choice: Int) { write(choice, .finish(.length, stop: nil)) }

    var failure: UpstreamError? { nil }

    func expect(_ prompt: PromptCount) {}

    func begin(with text: StaticString) {
        write(0, .text(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)))
    }
}

/// The number of prompt tokens of a response, which is estimated only when a writer needs it.
enum PromptCount {
    case known(Int)
    case estimated(OpenChat)

    var tokens: Int {
        switch self {
        case .known(let tokens): tokens
        case .estimated(let open): open.knownPromptTokens
        }
    }
}

/// The rule that says which tool definitions of a chat request are parsed.
struct ToolReading: Sendable {
    /// The number of function tools that are left unparsed, since their JSON is known to be valid; 0 if all are parsed.
    var checked = 0
    /// Whether the vendor may get the request unchanged, so that content which the relay does not understand is no
    /// error yet.
    var toleratesUnknown = false
    /// A function that returns whether all providers of the named model accept the request unchanged.
    let isPassedOn: @Sendable (String) -> Bool

    /// The rule that all tool definitions are parsed.
    static let whole = ToolReading { _ in false }
}
