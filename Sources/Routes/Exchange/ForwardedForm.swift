import Engine
import Shared
import Upstream

/// A multipart form that the relay forwards to vendors with another model name.
final class ForwardedForm: FormSource, @unchecked Sendable {
    let body: FormBody
    private(set) var model: String?
    /// The number of images that the client requests; 1 if the form gives no number.
    private(set) var images = 1
    /// The prompt of a request for images, of which at most `textLimitBytes` are kept.
    private(set) var prompt = ByteBuffer()
    private(set) var isStreamed = false
    private(set) var user: String?
    private(set) var safetyIdentifier: String?
    /// Whether the client requests images. Such a form can be sent again however long it is.
    let hasImages: Bool
    private let boundary = MultipartFile.boundary()

    /// The first reading, which finds the model; nil once it has ended.
    private var scout: FormReader?
    private var scoutedName = ""
    private var scoutedText = ByteBuffer()

    /// The reading that sends the form to a vendor; nil before the first.
    private var reader: FormReader?
    private var rewriting = Rewriting()

    /// The state of a reading that sends the form to a vendor.
    private struct Rewriting: ~Copyable {
        var model = ""
        var check: (any FormFieldCheck)?
        /// The name of the present part.
        var name = ""
        var isInModel = false
        /// Whether the present part names another model, such as `svg[model]`.
        var isInner = false
        /// The texts of the fields in `ForwardedForm.ofResponse`.
        var values: [String: String] = [:]
        var hasModel = false
        var isLeftOut = false
        var hasEnded = false
        var texts: [String]? = []
        /// The bytes of all texts.
        var textBytes = 0
        /// The beginning of the present part, unless that is a file.
        var text = ByteBuffer()
        var isText = false

        /// Keeps a text, unless there are many.
        mutating func keep(text added: String) {
            textBytes += added.utf8.count + 16
            if textBytes > ForwardedForm.textLimitBytes { texts = nil } else { texts?.append(added) }
        }
    }

    private static let textLimitBytes = 65_536
    /// The number of images that a form may request.
    static let imageRange = 1...1_000

    init(_ body: FormBody, hasImages: Bool) throws(APIError) {
        self.body = body
        self.hasImages = hasImages
        // Until the model is known, all of the form is kept, and may be read once more.
        body.mostKeptBytes = .max
        body.isReadTwice = true
        scout = try FormReader(body)
    }

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    var wantsText: Bool {
        let format = value("response_format") ?? ""
        return !format.isEmpty && !["json", "verbose_json", "diarized_json"].contains { $0.hasSameBytes(as: format) }
    }

    var wantsEvents: Bool { !["", "0", "false"].contains { $0 == (value("stream") ?? "").lowercased() } }
    var hasEnded: Bool { rewriting.hasEnded }
    var texts: [String]? { rewriting.texts }

    func value(_ name: String) -> String? { rewriting.values[name] }

    var isReplayable: Bool { body.isReplayable }
    var canBeTooLarge: Bool { body.canBeTooLarge }
    var waitedNanoseconds: UInt64 { body.wait.nanoseconds }

    /// The longest form that is kept to be sent to several vendors, in bytes.
    private var keptBytes: Int { hasImages ? .max : FormBody.keptBytes }

    private static let wanted = ["model", "stream", "user", "safety_identifier"]

    /// The fields on which the form of the response depends.
    private static let ofResponse = ["response_format", "stream", "size", "quality", "background", "output_format"]

    private func isCount(_ name: String) -> Bool { name.withoutIndex.utf8.elementsEqual("n".utf8) }

    // MARK: The beginning

    /// Reads the form until the model is known.
    func readBeginning() async throws(APIError) {
        while model == nil, try await scoutOn() {}
        body.mostKeptBytes = FormBody.keptBytes
        body.isReadTwice = false
    }

    /// Prepares the form for its candidates.
    /// - Parameter isMixed: whether some of them do not accept the form unchanged.
    func expectForwarding(isMixed: Bool) {
        body.mostKeptBytes = keptBytes
        body.isReadTwice = isMixed
        body.giveBackSurplus()
    }

    /// Reads the form into memory, to its end or until as many bytes are kept as can be sent again.
    func readAhead() async throws(APIError) {
        while body.keepsLess(than: keptBytes), try await scoutOn() {}
        scout = nil
    }

    /// Reads the whole form into memory. Returns false if the form is too long.
    func readWhole() async throws(APIError) -> Bool {
        try await readAhead()
        return try await body.readWhole(keeping: keptBytes)
    }

    /// Parses more of the multipart form, and records the fields that the relay needs, such as `model`. Returns false
    /// at the end of the form.
    private func scoutOn() async throws(APIError) -> Bool {
        switch try await scout?.next(keeping: .max) {
        case .part(let part):
            try part.check()
            scoutedName = part.name
            scoutedText.removeAll()
        case .data(let bytes):
            let isWanted =
                isCount(scoutedName) || Self.wanted.contains { $0.hasSameBytes(as: scoutedName) }
            if isWanted, scoutedText.count <= Model.nameLimitBytes {
                scoutedText.append(bytes[part: 0..<min(256, bytes.count)])
            }
            if hasImages, scoutedName.hasSameBytes(as: "prompt") {
                prompt.append(bytes[part: 0..<min(Self.textLimitBytes - prompt.count, bytes.count)])
            }
        case .partEnd: try record(scoutedName, scoutedText.bytes)
        case .end, nil:
            scout = nil
            return false
        }
        return true
    }

    private func record(_ name: String, _ text: UnsafeRawBufferPointer) throws(APIError) {
        if name.hasSameBytes(as: "model"), model == nil, !text.isEmpty { model = text.text }
        if name.hasSameBytes(as: "user") { user = text.text }
        if name.hasSameBytes(as: "safety_identifier") { safetyIdentifier = text.text }
        if hasImages, isCount(name) {
            let count = try FormFields([("n", text.text)]).integer("n", Self.imageRange)
            // If the field occurs several times, a vendor may read any of them.
            images = max(images, count ?? 1)
        }
        if name.hasSameBytes(as: "stream") { isStreamed = text.equals("true") }
    }

    // MARK: Sending to a vendor

    func begin(model: String, permittedBy check: any FormFieldCheck) {
        rewriting = Rewriting(model: model, check: check)
        // The same content type was valid in the initializer.
        reader = try? FormReader(body)
    }

    func next(into out: inout ByteBuffer) async throws(APIError) -> Bool {
        guard !hasEnded else { return false }
        while out.count < FormBody.pieceBytes, !hasEnded {
            guard let event = try await reader?.next(keeping: keptBytes) else { return false }
            try append(event, to: &out)
        }
        return true
    }

    private func append(_ event: MultipartEvent, to out: inout ByteBuffer) throws(APIError) {
        switch event {
        case .part(let part):
            try part.check()
            rewriting.isInner = try rewriting.check?.namesModel(formField: part.name) ?? false
            rewriting.name = part.name
            rewriting.isLeftOut = part.staysHere
            rewriting.isText = part.filename == nil
            for text in [part.name, part.filename, part.contentType] { text.map { rewriting.keep(text: $0) } }
            if rewriting.isLeftOut { return }
            rewriting.isInModel = part.name.hasSameBytes(as: "model")
            if rewriting.isInModel { rewriting.hasModel = true }
            MultipartFile.begin(&out, boundary, name: part.name)
            if let filename = part.filename {
                let name = filename.isEmpty ? "upload" : filename
                MultipartFile.append(filename: name, part.contentType ?? "application/octet-stream", to: &out)
            } else {
                out.append("\r\n")
            }
            out.append("\r\n")
            if rewriting.isInModel { out.append(rewriting.model) }
        case .data(let bytes):
            let isKept = rewriting.isText || rewriting.isInner
            if isKept, rewriting.text.count <= Self.textLimitBytes { rewriting.text.append(bytes) }
            if !rewriting.isInner, !rewriting.isInModel, !rewriting.isLeftOut { out.append(bytes) }
        case .partEnd:
            let text = rewriting.text.text
            rewriting.text.removeAll()
            rewriting.keep(text: rewriting.isText ? text : "")
            if let name = Self.ofResponse.first(where: rewriting.name.hasSameBytes) { rewriting.values[name] = text }
            if rewriting.isLeftOut { return }
            if rewriting.isInner, let check = rewriting.check {
                let model = text.beginning(ofBytes: Model.nameLimitBytes + 1)
                out.append(try check.permitted(model: model, inFormField: rewriting.name))
            }
            out.append("\r\n")
        case .end:
            if !rewriting.hasModel {
                MultipartFile.begin(&out, boundary, name: "model")
                out.append("\r\n\r\n\(rewriting.model)\r\n")
            }
            out.append("--\(boundary)--\r\n")
            rewriting.hasEnded = true
        }
    }
}

/// Checks of the parts of multipart forms that are forwarded to vendors.
extension MultipartPart {
    /// Throws if the part is a file but has the name of a plain field.
    func check() throws(APIError) {
        let plain = String(name.withoutIndex)
        // A vendor could read such a file as the plain field.
        if filename != nil, plain.withBytes(FieldNames.isOfValue) {
            throw APIError(400, "The field \(plain) is sent as a file.")
        }
    }

    /// Whether the part stays at the relay, which must not forward it to a vendor.
    var staysHere: Bool {
        let plain = String(name.withoutIndex)
        let isOneOfModels = plain.hasSameBytes(as: "model") && plain.utf8.count < name.utf8.count
        return ForwardedRequest.isOfRelay(name) || plain.withBytes(FieldNames.isDisguised) || isOneOfModels
    }
}
