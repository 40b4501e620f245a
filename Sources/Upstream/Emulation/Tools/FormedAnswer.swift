import Calls
import Engine
import Shared

/// One answer in plain text as it is read: text that may be passed on, calls of tools, and a document.
///
/// `@unchecked`: used on its request's loop only.
final class FormedAnswer: @unchecked Sendable {
    struct Problem {
        /// For the model.
        let text: String
        /// The document is at fault, not a call.
        var isOfDocument = false
    }

    private let form: TextForm
    private let isInsisting: Bool
    /// Text that is text for certain is passed on as it comes.
    private let passesText: Bool
    private var parser: ToolCallParser?
    private var document: StructuredAnswer?
    /// The beginning of what the model wrote, for a repair; longer answers are not repaired.
    private(set) var raw = ByteBuffer()
    /// Of all that the model wrote.
    private(set) var bytes = 0
    /// Of calls, valid or not.
    private var callBytes = 0
    private(set) var calls: [FoundCall] = []
    /// Calls that the vendor told in its own form, by their index in its answer; they are read at the end.
    private var native: [(index: Int, name: String, arguments: [UInt8])] = []
    private var nativeBytes = 0
    /// The model meant these as calls.
    private var broken: [String] = []
    /// Text beside a demanded call or a document, which is handed over only if the answer was cut.
    private var textBeside = ByteBuffer()
    /// The model was stopped in its midst.
    private var isCut = false
    private var reason: String?
    private var verdict: StructuredAnswer.Verdict?

    static let repairedBytes = 262_144

    /// Of what is kept of it.
    var heldBytes: Int {
        raw.count + callBytes + nativeBytes + textBeside.count + (parser?.heldBytes ?? 0) + (document?.heldBytes ?? 0)
    }

    /// False: nothing that the model still writes counts.
    var wantsMore: Bool {
        guard let wantsMore = parser?.wantsMore else { return true }
        return wantsMore
    }

    init(_ form: TextForm, ids: RandomBytes) {
        self.form = form
        isInsisting = form.isInsisting
        passesText = !form.isInsisting && form.format == nil
        if let tools = form.tools { parser = ToolCallParser(tools, ids: ids) }
        if let format = form.format { document = StructuredAnswer(format) }
    }

    /// The text of a piece that is text for certain, as most are; nil: `take` has to read it. Saves a chain of closures.
    func plain(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard passesText, let text = parser?.plain(piece) else { return nil }
        keep(piece)
        return text
    }

    /// Passes on what is text for certain.
    func take(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        keep(piece)
        guard parser != nil else {
            document?.take(piece)
            return
        }
        parser?.take(piece) { self.note($0, pass) }
    }

    private func keep(_ piece: UnsafeRawBufferPointer) {
        bytes += piece.count
        if raw.count <= Self.repairedBytes { raw.append(piece) }
    }

    /// Returns the tokens of all that the model wrote, native tool calls included. Those of a long response are estimated
    /// from its beginning.
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
        guard let place = native.lastIndex(where: { $0.index == index }) else { return }
        native[place].arguments.append(contentsOf: piece)
        count(native: piece.count)
    }

    private func count(native count: Int) {
        bytes += count
        nativeBytes += count
    }

    /// As the model was to write them.
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
                    parser?.take(native: name, arguments) { self.note($0, pass) }
                }
            }
        }
        native = []
        nativeBytes = 0
    }

    // MARK: The end

    /// The model has ended; `judge` follows, then `conclude`.
    func finish(isCut: Bool, _ pass: (UnsafeRawBufferPointer) -> Void) {
        self.isCut = isCut
        parser?.finish(isCut: isCut) { self.note($0, pass) }
        if !native.isEmpty { finishNative(pass) }
    }

    func conclude() { verdict = document?.finish() }

    /// There is a document that is too long to be judged on the loop.
    var isBehind: Bool { document?.unjudged != nil }

    /// Judges it where that takes no time of the loop.
    func judge(by means: FormMeans) async throws(UpstreamError) {
        while let value = document?.unjudged {
            let bytes = value.text.bytes.count
            let verdict = await means.worker.result(ofBytes: bytes, on: means.loop) { value.judged() }
            guard let verdict else { throw .tooMuchWork }
            document?.settle(verdict)
        }
    }

    private func note(_ event: ToolEvent, _ pass: (UnsafeRawBufferPointer) -> Void) {
        switch event {
        case .text(let text):
            if document != nil { document?.take(text) } else if !isInsisting { pass(text) }
            if !passesText, textBeside.count < Self.repairedBytes { textBeside.append(text) }
        case .call(let call):
            callBytes += call.arguments.utf8.count
            calls.append(call)
        case .broken(let raw, let reason):
            self.reason = self.reason ?? reason
            // Half a call is none, and nobody's text.
            if isCut { break }
            callBytes += raw.count
            broken.append(raw.text)
        }
    }

    /// The text of calls that are none, after no repair has helped.
    var brokenText: String { broken.joined() }

    /// The text of an answer that is not as it was asked for, and that no repair has helped.
    var unfitText: String {
        guard form.isInsisting || form.format != nil else { return brokenText }
        return isCut && parser != nil ? textBeside.text : raw.text
    }

    /// Nil: the answer is as it was asked for.
    var problem: Problem? {
        if let reason { return Problem(text: reason) }
        if let tools = form.tools, let unmet = tools.unmet(by: calls) { return Problem(text: unmet) }
        if calls.isEmpty, case .unfit(let why)? = verdict { return Problem(text: why, isOfDocument: true) }
        return nil
    }

    /// The document that was asked for; nil: there are calls instead, or none was asked for.
    var text: String? {
        if calls.isEmpty, case .document(let text)? = verdict { return text }
        return nil
    }
}
