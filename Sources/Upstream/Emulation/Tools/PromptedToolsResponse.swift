import Engine
import Shared

/// A reader for one response of a vendor that supports only text. It separates the client's text from tool calls and
/// structured output.
final class PromptedToolsResponse: OnLoop, @unchecked Sendable {
    struct Problem {
        /// The description of the problem, in words for the model.
        let text: String
        /// Whether the structured output is invalid; false if a tool call is invalid or missing.
        var isOfDocument = false
    }

    private let form: TextProtocol
    private let requiresValidOutput: Bool
    /// Whether text outside tool calls is passed on at once, without waiting for validation.
    private let passesText: Bool
    private var parser: ToolCallParser?
    private var document: StructuredOutputParser?
    /// The first bytes of the model's output, which a repair call sends to the model again.
    private(set) var raw = ByteBuffer()
    /// The length of the model's output, in bytes.
    private(set) var bytes = 0
    /// The total length of all tool calls, valid or invalid, in bytes.
    private var callBytes = 0
    private(set) var calls: [ParsedToolCall] = []
    /// The tool calls that the vendor sent as fields of its API, although text was requested.
    private var native: [(index: Int, name: String, arguments: [UInt8])] = []
    private var nativeBytes = 0
    /// The texts of invalid tool calls.
    private var broken: [String] = []
    /// The model's text outside tool calls; empty if the request demands neither a tool call nor a format. Used only if
    /// the output was cut off.
    private var textBeside = ByteBuffer()
    /// Whether the output was cut off, for example by the token limit, before the model ended it.
    private var isCut = false
    private var reason: String?
    private var validation: StructuredOutputParser.Validation?

    static let repairedBytes = 262_144

    /// The size of all data that is held for this response, in bytes.
    var heldBytes: Int {
        raw.count + callBytes + nativeBytes + textBeside.count + (parser?.heldBytes ?? 0) + (document?.heldBytes ?? 0)
    }

    /// Whether the rest of the model's output is still needed. If not, the upstream call can be stopped.
    var wantsMore: Bool { parser?.wantsMore ?? true }

    init(_ form: TextProtocol, ids: RandomBytes) {
        self.form = form
        requiresValidOutput = form.requiresValidOutput
        passesText = !form.requiresValidOutput && form.format == nil
        if let tools = form.tools { parser = ToolCallParser(tools, ids: ids) }
        if let format = form.format { document = StructuredOutputParser(format) }
    }

    /// Consumes a chunk of the model's text that cannot begin a tool call, and returns the text to pass on.
    ///
    /// Returns nil, and consumes nothing, if `consume` must read the chunk.
    func plain(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard passesText, let text = parser?.plain(piece) else { return nil }
        keep(piece)
        return text
    }

    /// Consumes a chunk of the model's text, and passes on the text that cannot belong to a tool call.
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

    /// Returns the number of tokens of the model's whole output. For a long output the number is an estimate.
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
        guard let callIndex = native.lastIndex(where: { $0.index == index }) else { return }
        native[callIndex].arguments.append(contentsOf: piece)
        count(native: piece.count)
    }

    private func count(native count: Int) {
        bytes += count
        nativeBytes += count
    }

    /// Parses the tool calls that the vendor sent as fields of its API instead of text.
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

    /// Ends the model's output. After it, call `validate(by:)` and then `conclude()`.
    func finish(isCut: Bool, _ pass: (UnsafeRawBufferPointer) -> Void) {
        self.isCut = isCut
        parser?.finish(isCut: isCut) { self.record($0, pass) }
        if !native.isEmpty { finishNative(pass) }
    }

    func conclude() { validation = document?.finish() }

    /// Whether a long structured output still waits for its validation.
    var isBehind: Bool { document?.unjudged != nil }

    /// Validates long structured output on the work queue. Without such output, does nothing.
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

    /// The part of an invalid response that the client gets as text if the relay could not repair the response.
    var invalidOutput: String {
        guard form.requiresValidOutput || form.format != nil else { return broken.joined() }
        return isCut && parser != nil ? textBeside.text : raw.text
    }

    /// The problem that makes the response invalid; nil if the response is valid.
    var problem: Problem? {
        if let reason { return Problem(text: reason) }
        if let unmet = form.tools?.demand.unmet(by: calls.map(\.name)) { return Problem(text: unmet) }
        if calls.isEmpty, case .unfit(let why)? = validation { return Problem(text: why, isOfDocument: true) }
        return nil
    }

    /// The structured output; nil if the response contains tool calls or no structured output.
    var text: String? {
        if calls.isEmpty, case .document(let text)? = validation { return text }
        return nil
    }
}
