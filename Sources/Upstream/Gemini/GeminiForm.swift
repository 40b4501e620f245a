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

/// Applies quirks to the JSON body of a request to Google. All other bytes are copied.
enum GeminiRequestRewriter {
    static func written(_ body: Body, with quirks: Set<Quirk>) -> Body {
        let instructions = quirks.contains(.noInstructions) ? RawJSON(body.bytes)["systemInstruction"] : nil
        guard instructions != nil || quirks.contains(.anySignature) else { return body }
        // The first turn is the user's.
        var opening = instructions?.list("parts") ?? []
        let written = body.replacing("contents") { contents, out in
            contents.append(to: &out) { (content: RawJSON, out: inout ByteBuffer) in
                content.append(to: &out, replacing: "parts") { parts, out in
                    append(opening + Array(parts.elements), quirks, to: &out)
                }
                opening = []
            }
        }
        return instructions == nil ? written : FieldChange("systemInstruction").applied(to: written)
    }

    private static func append(_ parts: [RawJSON], _ quirks: Set<Quirk>, to out: inout ByteBuffer) {
        let signature = #","thoughtSignature":"\#(MessageRewriter.uncheckedSignature)"}"#
        var hasCall = false
        out.append(array: parts) { part, out in
            if !quirks.contains(.anySignature) { return out.append(part.bytes) }
            guard let call = part["functionCall"] else {
                return part.append(to: &out, leavingOut: { $0.name.equals("thoughtSignature") }) { _, _ in false }
            }
            // Only the first call of a turn gets the signature: parallel calls need none.
            out.append(#"{"functionCall":"#)
            out.append(call.bytes)
            out.append(hasCall ? "}" : signature)
            hasCall = true
        }
    }
}

/// Chat calls to Google's models, for the Gemini API and Vertex AI.
extension WireVendor {
    func abilitiesOfGemini(
        for call: borrowing ChatCall,
        of model: Model,
        in dialect: GeminiDialect = .own
    ) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .audioInput, .sampling,
            .reasoning,
            .functions,
        ]
        let gemini = GeminiModel(model.id)
        // Google's search does not go together with functions. A forced search needs no others.
        if !gemini.isBare {
            abilities.insert(!call.usesTools || call.isForcedSearch ? .searchOptions : .searchAlone)
        }
        let quirks = quirks(model, for: call.quirks)
        if gemini.isBare { abilities.subtract([.tools, .functions, .toolChoice, .objects, .schemas]) }
        abilities.subtract(quirks.lacking)
        if call.hasStrictTools { abilities.insert(.uncheckedArguments) }
        let isFormed = !call.needs.isDisjoint(with: [.objects, .schemas]) && !call.mustCallFunction
        if isFormed, dialect.hasOpenSchemas, case .schema(_, let schema?, _) = call.chatOptions.format,
            OpenSchema.hasMap(schema)
        {
            abilities.remove(.schemas)
        }
        if isFormed, !gemini.supportsToolsWithFormat, call.usesTools { abilities.subtract([.objects, .schemas]) }
        abilities.emulateTogether(for: call.needs)
        if call.stops.count > GeminiRequest.maxStops { abilities.remove(.stops) }
        return abilities
    }

    func chatOfGemini(_ form: GeminiForm, _ call: ChatCall, model: Model, attempt: Attempt) -> any PreparedChat {
        var call = call
        call.leaveOutSearchOptions(except: [], for: attempt.billing)
        call.leaveOutRelayTools(for: attempt.billing)
        // Decorators in the folder `Emulation` make the calls for further choices, and find the stop sequences.
        call.choices = 1
        if call.mustCallFunction, !GeminiModel(model.id).supportsToolsWithFormat { call.chatOptions.format = .text }
        if call.stops.count > GeminiRequest.maxStops { call.stops = [] }
        return chat(form, call, model, by: attempt)
    }
}
