import Engine
import Shared

/// One call to a Google model: writes the request body and creates the reader of the response.
///
/// `@unchecked`: used on its event loop, with two exceptions. Any thread may call `written`, and the worker thread uses
/// `reader` to parse a long response.
final class GeminiForm: WireForm, @unchecked Sendable {
    private let address: ModelAddress?
    private let dialect: GeminiDialect
    let route: (any WireRoute)?
    private let memory: AccountSignatures
    private let model: GeminiModel
    private let modelName: String
    private var names = VendorNameMap()
    private var maxCalls = Int.max
    private var isLegacy = false
    private var hasCalls = false
    private var reader: GeminiReader?

    /// Creates the form for one call to a Google model.
    ///
    /// - Parameters:
    ///   - address: the URLs of the model; nil if the model's name cannot be part of a URL.
    ///   - route: chooses among several locations of the vendor; nil if `address` is the only one.
    init(
        _ address: ModelAddress?,
        _ memory: AccountSignatures,
        model: Model,
        dialect: GeminiDialect = .own,
        by route: (any WireRoute)? = nil
    ) {
        self.address = address
        self.dialect = dialect
        self.route = route
        self.memory = memory
        self.model = GeminiModel(model.id)
        modelName = model.id
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        isLegacy = call.needs.contains(.functions)
        maxCalls = call.maxCalls
        hasCalls = call.messages.contains { !$0.toolCalls.isEmpty }
        let (body, names) = GeminiRequest(call, model, memory: memory, dialect: dialect).written()
        self.names = names
        let refusal =
            address == nil ? .modelNotFound(modelName) : call.attachments.refusal(hasPDF: true, hasAudio: true)
        return WrittenCall(GeminiRequestRewriter.written(body, with: quirks), refusal: refusal)
    }

    func endpoint(isStreamed: Bool) -> Endpoint {
        guard let address else { preconditionFailure("a call that was refused") }
        return address[isStreamed: isStreamed]
    }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = GeminiReader(parser, ids, names: names, memory: memory, maxCalls: maxCalls, isLegacy: isLegacy)
        self.reader = reader
        return reader
    }

    var findingOfResponse: QuirkFinding? {
        hasCalls && reader?.missesSignature == true ? QuirkFinding(.anySignature) : nil
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, dialect.errorTable, namesFields: false)
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        refusal.finding(among: refusal.findingsOfGemini)
    }

    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        GeminiRequestRewriter.written(request, with: quirks)
    }
}
