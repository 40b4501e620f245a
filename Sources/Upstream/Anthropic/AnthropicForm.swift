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
    private let wantsLongWindow: Bool
    private let wantsStream: Bool
    private let attempt: Attempt
    /// Whether the vendor gets the client's body, and the client the vendor's responses.
    private let isNative: Bool
    /// The header lines of a client's Messages request; nil for a request of another API.
    private let clientHeaders: MessageHeaders?
    let check: RequestCheck
    private var changes = RequestCheck.Changes()
    /// The client's betas that the server does not know.
    private var refusedBetas: [String] = []
    private var names = VendorNameMap()
    private var mayGoOn = false
    /// The caller's reasoning that the vendor gets back if the client drops it; nil if the call has no tools.
    var reasoning: CallerReasoning?
    /// The part of the memory that holds reasoning of such a model.
    private let part: CallerReasoning.Part

    /// The largest request body, in bytes, that stays in memory while the response is streamed.
    private static let keptBytes = 32_768
    /// The most betas that one refusal can name.
    private static let maxBetas = 16
    private static let maxBetaBytes = 64

    /// - Parameters:
    ///   - messages: the API's endpoint; nil if the model's name cannot be part of a URL.
    ///   - route: chooses among the vendor's locations; nil if `messages` is the only endpoint.
    init(
        _ messages: Endpoint?,
        _ dialect: AnthropicDialect,
        call: borrowing ChatCall,
        model: Model,
        attempt: Attempt,
        by route: (any WireRoute)? = nil
    ) {
        self.attempt = attempt
        check = dialect.check(for: attempt)
        isNative = call.original != nil
        part = .blocks(of: model)
        clientHeaders = (call.original ?? call.changedOriginal)?.messageHeaders.map(dialect.headers)
        self.messages = messages
        self.dialect = dialect
        self.route = route
        self.model = model.id
        wantsStream = call.isStreamed
        isLegacy = call.needs.contains(.functions)
        maxCalls = isNative ? .max : call.maxCalls
        wantsLongWindow = call.wantsLongWindow
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        let refusal: APIError? = messages == nil ? .modelNotFound(model) : nil
        if let original = call.original ?? call.changedOriginal {
            do throws(APIError) {
                changes = try check.changes(of: original)
            } catch {
                return WrittenCall(original.body, refusal: refusal ?? error)
            }
        }
        if let original = call.original {
            let body = OriginalMessage.written(
                original.applying(changes),
                model: model,
                dialect: dialect,
                namesModel: !dialect.isVertex,
                bound: call.hasLowerBound ? call.maxTokens : nil
            )
            let isForeign = call.hasForeignReasoning(for: model)
            let changed = rewritten(body, with: isForeign ? quirks.union([.named(.noForeignReasoning)]) : quirks)
            var written = WrittenCall(changed, refusal: refusal)
            written.source = written.body.bytes.equals(body.bytes) ? .original : .rebuilt
            return written
        }
        var call = call
        if let reasoning { call.restoreReasoning(reasoning, part) }
        call.changedOriginal = call.changedOriginal?.applying(changes)
        let owner = CallQuirks.Owner(attempt.billing.caller)
        let request = AnthropicRequest(call, model, dialect: dialect, with: quirks, for: owner).written()
        names = request.names
        var written = WrittenCall(rewritten(request.body, with: quirks))
        written.refusal = refusal ?? call.attachments.refusal(hasPDF: true, hasFewImages: true)
        if call.isAmbiguous || call.changedOriginal?.wire == .messages { written.source = .rebuilt }
        written.maxTokens = request.maxTokens
        written.gathersStream = request.isStreamed && !wantsStream
        // The relay needs the body to request the rest of a response that the vendor paused.
        mayGoOn = written.gathersStream || request.body.bytes.count <= Self.keptBytes
        written.mayGoOn = mayGoOn
        return written
    }

    func headers(_ headers: KeyHeaders, for key: String, of body: Body?, to endpoint: Endpoint) -> UpstreamHeaders {
        guard wantsLongWindow || clientHeaders != nil || isNative else { return headers.headers(for: key) }
        var client = clientHeaders ?? MessageHeaders(betas: "", version: nil, hasBearer: false)
        if wantsLongWindow { client.askForLongWindow() }
        var leftOut = refusedBetas
        if changes.dropsAdvisor {
            attempt.billing.leaveOut("advisor")
            leftOut += client.betas.betas.filter { $0.hasPrefix("advisor-tool-") }
        }
        return headers.headers(for: key, passing: client, without: leftOut, isCallersKey: attempt.isCallersKey)
    }

    /// Returns the finding that the server does not know betas of the client; nil if the error is not about betas.
    private func findingOfBetas(_ refusal: Refusal) -> QuirkFinding? {
        let (betas, words) = (betas, refusal.words)
        guard refusal.status == 400, !betas.isEmpty, words.quote("anthropic-beta") else { return nil }
        let names = words.exact(
            betas.filter { $0.utf8.count <= Self.maxBetaBytes && !refusedBetas.contains($0) },
            among: betas
        )
        if names.isEmpty { return nil }
        return QuirkFinding(names.prefix(Self.maxBetas).map { .beta($0) })
    }

    var betas: [String] { clientHeaders?.betas.betas ?? [] }
    var callersHeaders: [String] { clientHeaders.map { betas + [$0.betas, $0.version ?? ""] } ?? [] }

    func adopt(_ quirks: Set<Quirk>) { refusedBetas += quirks.betas }

    func goingOn(_ request: Body, after pause: PausedResponse) -> Body {
        MessageRequestRewriter.written(request, goingOnAfter: pause.content)
    }

    func endpoint(isStreamed: Bool) -> Endpoint {
        guard let messages else { preconditionFailure("a call that was refused") }
        return messages
    }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader { reader(parser, ids, after: []) }

    func reader(_ parser: JSONParser, _ ids: RandomBytes, after parts: [PausedResponse]) -> any WireReader {
        let reader = AnthropicReader(parser, ids, names: names, isLegacy: isLegacy, after: parts, mayGoOn: mayGoOn)
        reader.model = model
        reader.maxCalls = maxCalls
        reader.isNative = isNative
        return reasoning.map { ThinkingRecorder(reader, $0, part) } ?? reader
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        var reader = ErrorResponseReader(parser, dialect.errorTable, namesFields: false)
        reader.obeysRetry = true
        reader.passesErrors = clientHeaders != nil
        return reader
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        if !refusal.known.contains(.noSchemas), let finding = dialect.findingOfPolicy(refusal) { return finding }
        return findingOfBetas(refusal) ?? refusal.finding(among: refusal.findingsOfMessages)
    }

    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        MessageRequestRewriter.written(request, with: quirks)
    }
}

extension ChatCall {
    /// Returns whether a message contains reasoning that the vendor does not know: with the relay's own signature or,
    /// for Claude, with that of another vendor. A server of other models may be a relay that has made it.
    fileprivate func hasForeignReasoning(for model: String) -> Bool {
        let isClaude = !ClaudeModel.isForeign(model)
        return messages.indices.contains { index in
            messages[index].content.contains { piece in
                piece.reasoning.map { isClaude ? $0.isForeign : $0.hasOwnSignature } ?? false
            }
        }
    }
}
