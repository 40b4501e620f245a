import Calls
import Engine
import Shared

/// One call to the Messages API: writes the request body and creates the reader of the response.
///
/// `@unchecked`: used on its event loop. Any thread may call `written`; the worker thread uses `reader` for long
/// responses.
final class AnthropicForm: WireForm, @unchecked Sendable {
    private let messages: Endpoint?
    let route: (any WireRoute)?
    private let model: String
    private let dialect: AnthropicDialect
    private let isLegacy: Bool
    private let maxCalls: Int
    let headerLine: String?
    private let wantsStream: Bool
    private(set) var refusal: APIError?
    private(set) var maxTokens: Int?
    private(set) var gathersStream = false
    private var names = VendorNameMap()
    private(set) var mayGoOn = false
    /// The earlier parts of the response, in order; each ended with a pause of the vendor (`pause_turn`).
    private var parts: [PausedResponse] = []

    /// The largest request body, in bytes, that stays in memory while the response is streamed.
    private static let keptBytes = 32_768

    /// Creates the form for one call to the Messages API.
    ///
    /// - Parameters:
    ///   - messages: the API's endpoint; nil if the model's name cannot be part of a URL.
    ///   - route: chooses among the vendor's locations; nil if `messages` is the only endpoint.
    init(
        _ messages: Endpoint?,
        _ dialect: AnthropicDialect,
        call: borrowing ChatCall,
        model: Model,
        by route: (any WireRoute)? = nil
    ) {
        self.messages = messages
        self.dialect = dialect
        self.route = route
        self.model = model.id
        wantsStream = call.isStreamed
        isLegacy = call.needs.contains(.functions)
        maxCalls = call.maxCalls
        headerLine = call.wantsLongWindow ? "anthropic-beta: context-1m-2025-08-07" : nil
    }

    func written(_ call: ChatCall, with quirks: LearnedQuirks) -> Body {
        refusal = messages == nil ? .modelNotFound(model) : ClaudeBlocks.refusal(of: call.attachments)
        let written = AnthropicRequest(call, model, dialect: dialect, with: quirks).written()
        names = written.names
        maxTokens = written.maxTokens
        gathersStream = written.isStreamed && !wantsStream
        // The relay needs the body to request the rest of a response that the vendor paused.
        mayGoOn = gathersStream || written.body.bytes.count <= Self.keptBytes
        return MessageRequestRewriter.written(written.body, with: quirks)
    }

    func goingOn(_ request: Body, after pause: PausedResponse) -> Body {
        parts.append(pause)
        return MessageRequestRewriter.written(request, goingOnAfter: pause.content)
    }

    var keptQuirks: LearnedQuirks { LearnedQuirks(rawValue: .max).subtracting(.ofConversation) }

    func endpoint(isStreamed: Bool) -> Endpoint {
        guard let messages else { preconditionFailure("a call that was refused") }
        return messages
    }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = AnthropicReader(parser, ids, names: names, isLegacy: isLegacy, after: parts, mayGoOn: mayGoOn)
        reader.maxCalls = maxCalls
        return reader
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, dialect.errorTable, namesFields: false, obeysRetry: true)
    }

    func quirk(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks,
        _ errorReader: ErrorResponseReader
    ) -> LearnedQuirks? {
        if dialect.refusesFormats(head, refusal, of: request, errorReader), !known.contains(.noSchemas) {
            return .noSchemas
        }
        return errorReader.messageQuirk(head, refusal, of: request, known: known)
    }

    func rewritten(_ request: Body, with quirk: LearnedQuirks) -> Body {
        MessageRequestRewriter.written(request, with: quirk)
    }
}
