import Calls
import Engine
import Limits
import Shared
import Upstream

/// The cache's part in a request.
protocol CachePart: AnyObject, Sendable {
    var state: CacheState { get }
    /// The vendor's name of the model that made the answer; nil: it was not found.
    var servedModel: String? { get }
    /// Nothing more is done for the request.
    func end()
}

/// As `X-Relay-Cache` tells it.
enum CacheState {
    /// The cache has no part in it.
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

/// The output of one family of endpoints, errors included.
protocol Surface: Sendable {
    /// - Parameter isMidStream: the response is an event stream that has begun; else this is its whole body.
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer)
    func status(of error: APIError) -> Int
    /// Appends the header lines that only this surface has.
    ///
    /// - Parameter standing: of the limits that cover the request; nil: none does.
    func appendFields(_ requestID: String, _ standing: Decision?, to fields: inout ByteBuffer)
}

extension Surface {
    func status(of error: APIError) -> Int { error.status }

    func appendFields(_ requestID: String, _ standing: Decision?, to fields: inout ByteBuffer) {}
}

/// A surface that chats.
protocol ChatSurface: Surface {
    /// That of its requests, if vendors may take these as they came.
    var wire: Wire? { get }
    /// Its answers may be kept for later requests.
    var mayKeep: Bool { get }
    /// - Parameter root: valid during the call only.
    /// - Parameter defaultModel: for a request that names none.
    func read(_ root: JSONValue, defaultModel: String?) throws(APIError) -> ChatRequest
    /// Reads a request whose body is kept as it came (`ChatCall.keep`), so that tools may be left unread in it.
    ///
    /// - Parameter isPassedOn: whether all who serve the model of that name take the request as it came.
    func read(
        _ root: JSONValue,
        defaultModel: String?,
        isPassedOn: (String) -> Bool
    ) throws(APIError) -> ChatRequest
    /// All that could serve the call.
    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> ChatTarget
}

extension ChatSurface {
    var wire: Wire? { nil }
    var mayKeep: Bool { true }

    func read(
        _ root: JSONValue,
        defaultModel: String?,
        isPassedOn: (String) -> Bool
    ) throws(APIError) -> ChatRequest {
        try read(root, defaultModel: defaultModel)
    }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> ChatTarget {
        try exchange.gateway.registry.target(asked.call.model, for: caller)
    }
}

/// A chat request as its surface has read it. A class: a call is dear to copy, and large in the frames of functions that
/// wait.
///
/// `@unchecked`: made on some thread, used by one at a time.
final class ChatRequest: @unchecked Sendable {
    var call: ChatCall
    let reply: any ChatReply

    init(_ call: consuming ChatCall, _ reply: any ChatReply) {
        self.call = call
        self.reply = reply
    }

    /// The call, which is not kept here.
    func takeCall() -> ChatCall {
        var taken = ChatCall()
        swap(&taken, &call)
        return taken
    }

    /// Adds what the request refers to.
    @inline(never)
    func resolve(for caller: Caller, _ exchange: Exchange) async throws(APIError) {
        call = try await reply.resolved(call, for: caller, exchange)
    }
}

/// The answer to one request in its surface's form; keeps the fields of the request that the answer repeats.
protocol ChatReply: Sendable {
    /// The request refers to something that is kept, which `resolved` adds.
    var refersBack: Bool { get }
    func resolved(_ call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> ChatCall
    /// Made before the vendor is asked, so that it can ping meanwhile.
    func writer(for wanted: WantedAnswer, _ exchange: Exchange) -> any AnswerWriter
    /// - Parameter usage: of the answer, counted or estimated.
    func write(
        _ answer: ChatAnswer,
        _ usage: Usage,
        _ wanted: WantedAnswer,
        _ exchange: Exchange
    )
        async throws(UpstreamError)
}

extension ChatReply {
    var refersBack: Bool { false }

    func resolved(_ call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> ChatCall {
        call
    }
}

/// Writes an answer as it comes. Used on its request's loop.
protocol AnswerWriter: AnyObject, Sendable {
    func take(_ choice: Int, _ event: AnswerEvent)
    /// Begins the answer with a text, before anything is taken.
    func begin(with text: StaticString)
    /// Shows the client that the relay is alive.
    func ping()
    /// True if the gathered bytes should be sent before more is taken.
    var isFull: Bool { get }
    /// Sends what has gathered; waits while the client takes it too slowly. Throws if the writer has no memory left for
    /// what it keeps.
    func flush() async throws(UpstreamError)
    /// The same without waiting.
    func flushNow()
    func end(_ usage: Usage) async
}

extension AnswerWriter {
    func begin(with text: StaticString) {
        take(0, .text(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)))
    }
}
