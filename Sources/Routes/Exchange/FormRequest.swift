import Calls
import Engine
import Shared

/// A `multipart/form-data` body that was read as a whole.
struct Form: Sendable {
    struct File: Sendable {
        let name: String
        let bytes: Body
    }

    let fields: [(name: String, text: String)]
    let files: [File]
}

extension Exchange {
    /// Returns a stream that reads the request's multipart form.
    ///
    /// - Parameters:
    ///   - files: the names of the fields that are files.
    ///   - fileLimitBytes: the largest file; the settings' upload limit may be lower.
    ///   - beginning: the bytes of the body that have already been read.
    func formStream(
        files: [String],
        fileLimitBytes: Int,
        beginning: consuming ByteBuffer = ByteBuffer()
    ) throws(APIError) -> FormStream {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw APIError(
                415,
                "Content-Encoding is not supported. Send the body without compression.",
                code: "unsupported_media_type"
            )
        }
        let limit = UploadLimit(fileLimitBytes, gateway.settings)
        let form = try FormStream(request, files: files, fileLimit: limit, beginning: beginning, on: gateway.loop)
        recorder?.keep(form: { form.keptText })
        try refuseIfKnownToBeOver()
        return form
    }
}

/// The time for which a request has waited for its client.
struct ClientWait {
    private let loop: EventLoop
    private var past: UInt64 = 0
    private var since: LoopTime?

    init(on loop: EventLoop) { self.loop = loop }

    var nanoseconds: UInt64 { past + (since.map { loop.now.nanoseconds(since: $0) } ?? 0) }

    mutating func begin() { since = loop.now }

    mutating func end() {
        past = nanoseconds
        since = nil
    }
}

extension FormStream {
    /// Reads the whole form.
    func whole() async throws(APIError) -> Form {
        var gathered: [Form.File] = []
        while let name = try await nextFile() {
            gathered.append(Form.File(name: name, bytes: Body(try await beginning(.max))))
        }
        return Form(fields: fields, files: gathered)
    }

    /// The form as JSON for the usage record: the fields' texts and the file's media type.
    fileprivate var keptText: ByteBuffer {
        var out = ByteBuffer()
        let files = (file.map { [$0] } ?? []).map { (name: $0.name, text: "[\($0.contentType ?? "file")]") }
        let members = (fields + files).map { (name: $0.name, value: "\($0.text)" as JSONFragment) }
        out.json("{\(members: members)}")
        return out
    }
}
