import Calls
import Engine
import Shared

/// Reads one response in plain text: text that may be passed on, tool calls, and a document.
///
/// `@unchecked`: used on its request's loop only.
final class PromptedToolsResponse: @unchecked Sendable {
    struct Problem {
        /// The description of the problem, for the model.
        let text: String
        /// Whether the document is invalid, not a tool call.
        var isOfDocument = false
    }

    private let form: TextProtocol
    private let requiresValidOutput: Bool
    /// Whether text that cannot be a tool call is passed on at once.
    private let passesText: Bool
    private var parser: ToolCallParser?
    private var document: StructuredOutputParser?
    /// The beginning of the model's output, for a repair. Longer responses are not repaired.
    private(set) var raw = ByteBuffer()
    /// The length of the model's output, in bytes.
    private(set) var bytes = 0
    /// The length of all tool calls, valid or not, in bytes.
    private var callBytes = 0
    private(set) var calls: [ParsedToolCall] = []
    /// Tool calls that the vendor sent in its own form, by their index in the response. They are read at the end.
    private var native: [(index: Int, name: String, arguments: [UInt8])] = []
    private var nativeBytes = 0
    /// Texts that the model meant as tool calls, but that are invalid.
    private var broken: [String] = []
    /// Text beside a demanded tool call or a document. It is sent only if the response was truncated.
    private var textBeside = ByteBuffer()
    /// Whether the model was stopped before its end.
    private var isCut = false
    private var reason: String?
    private var validation: StructuredOutputParser.Validation?

    static let repairedBytes = 262_144

    /// The size of everything that is held for this response, in bytes.
    var heldBytes: Int {
        raw.count + callBytes + nativeBytes + textBeside.count + (parser?.heldBytes ?? 0) + (document?.heldBytes ?? 0)
    }

    /// Whether the model's further output matters.
    var wantsMore: Bool {
        guard let wantsMore = parser?.wantsMore else { return true }
        return wantsMore
    }

    init(_ form: TextProtocol, ids: RandomBytes) {
        self.form = form
        requiresValidOutput = form.requiresValidOutput
        passesText = !form.requiresValidOutput && form.format == nil
        if let tools = form.tools { parser = ToolCallParser(tools, ids: ids) }
        if let format = form.format { document = StructuredOutputParser(format) }
    }

    /// Returns the text of a chunk that needs no parsing, as most do; nil if `emit` must read it. This avoids a chain
    /// of closures.
    func plain(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard passesText, let text = parser?.plain(piece) else { return nil }
        keep(piece)
        return text
    }

    /// Consumes a chunk, and passes on text that cannot be a tool call.
    func consume(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        keep(piece)
        guard parser != nil else {
            document?.consume(piece)
            return
        }
        parser?.consume(piece) { self.record($0, pass) }
    }

    private func keep(_ piece: UnsafeRawBufferPointer) {
        bytes += piece.count
        if raw.count <= Self.repairedBytes { raw.append(piece) }
    }

    /// Returns the tokens of all that the model wrote, native tool calls included. Those of a long response are
    /// estimated from its beginning.
    func tokens(by count: CallCount) async throws(UpstreamError) -> Int {
        var sample = ByteBuffer()
        sample.append(raw.bytes)
        var written = bytes - nativeBytes
        for call in native {
            written += call.name.utf8.count + call.arguments.count
            guard sample.count <= Self.repairedBytes else { continue }
            sample.append(call.name)
            call.arguments.withUnsafeBytes { sample.append($0) }
        }
        guard sample.count > 0 else { return 0 }
        let tokens = try await count.tokens(of: Body(copying: sample.bytes))
        return sample.count == written ? tokens : tokens * written / sample.count
    }

    // MARK: Calls in the vendor's own form

    func begin(call index: Int, _ name: UnsafeRawBufferPointer) {
        guard parser != nil else { return }
        native.append((index, name.text, []))
        count(native: name.count + 64)
    }

    func add(arguments piece: UnsafeRawBufferPointer, toCall index: Int) {
        guard let position = native.lastIndex(where: { $0.index == index }) else { return }
        native[position].arguments.append(contentsOf: piece)
        count(native: piece.count)
    }

    private func count(native count: Int) {
        bytes += count
        nativeBytes += count
    }

    /// Reads the vendor's own tool calls as if the model had written them as text.
    private func finishNative(_ pass: (UnsafeRawBufferPointer) -> Void) {
        bytes -= nativeBytes
        for call in native {
            var text = ByteBuffer()
            ToolProtocol.append(
                call: call.name,
                arguments: String(decoding: call.arguments, as: UTF8.self),
                id: nil,
                to: &text
            )
            keep(text.bytes)
            call.name.withBytes { name in
                call.arguments.withUnsafeBytes { arguments in
                    parser?.consume(native: name, arguments) { self.record($0, pass) }
                }
            }
        }
        native = []
        nativeBytes = 0
    }

    // MARK: The end

    /// Ends the model's output. Call `validator` and then `conclude` after it.
    func finish(isCut: Bool, _ pass: (UnsafeRawBufferPointer) -> Void) {
        self.isCut = isCut
        parser?.finish(isCut: isCut) { self.record($0, pass) }
        if !native.isEmpty { finishNative(pass) }
    }

    func conclude() { validation = document?.finish() }

    /// Whether the document is too long to be validated on the loop.
    var isBehind: Bool { document?.unjudged != nil }

    /// Validates a long document on the work queue.
    func validate(by context: OutputParserContext) async throws(UpstreamError) {
        while let value = document?.unjudged {
            let bytes = value.text.bytes.count
            let validation = await context.worker.result(ofBytes: bytes, on: context.loop) { value.judged() }
            guard let validation else { throw .tooMuchWork }
            document?.settle(validation)
        }
    }

    private func record(_ event: ToolEvent, _ pass: (UnsafeRawBufferPointer) -> Void) {
        switch event {
        case .text(let text):
            if document != nil { document?.consume(text) } else if !requiresValidOutput { pass(text) }
            if !passesText, textBeside.count < Self.repairedBytes { textBeside.append(text) }
        case .call(let call):
            callBytes += call.arguments.utf8.count
            calls.append(call)
        case .broken(let raw, let reason):
            self.reason = self.reason ?? reason
            // A truncated tool call is neither a call nor text.
            if isCut { break }
            callBytes += raw.count
            broken.append(raw.text)
        }
    }

    /// The text of invalid tool calls, if the repair failed.
    var invalidCallsText: String { broken.joined() }

    /// The text of an invalid response, if the repair failed.
    var invalidOutput: String {
        guard form.requiresValidOutput || form.format != nil else { return invalidCallsText }
        return isCut && parser != nil ? textBeside.text : raw.text
    }

    /// The problem of the response; nil if the response is valid.
    var problem: Problem? {
        if let reason { return Problem(text: reason) }
        if let tools = form.tools, let unmet = tools.unmet(by: calls) { return Problem(text: unmet) }
        if calls.isEmpty, case .unfit(let why)? = validation { return Problem(text: why, isOfDocument: true) }
        return nil
    }

    /// The requested document; nil if there are tool calls instead, or no document was requested.
    var text: String? {
        if calls.isEmpty, case .document(let text)? = validation { return text }
        return nil
    }
}
