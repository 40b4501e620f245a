import Engine
import Shared
import Upstream

/// The file of a form, which goes to a vendor while it arrives. As long as all of it is kept, it can be sent again.
final class FormFile: OnLoop, @unchecked Sendable {
    let form: FormStream
    /// The bytes that have arrived so far; empty once the file is too long to be kept.
    private var held = ByteBuffer()
    private(set) var isReplayable = true
    /// The number of bytes that have arrived.
    private(set) var bytes = 0
    private var hasEnded = false
    /// Whether the whole form has arrived.
    private(set) var isWhole = false

    /// Creates the first file of the form that begins now.
    init(_ form: FormStream) async throws(APIError) {
        guard try await form.nextFile() != nil else { throw .missing("file") }
        self.form = form
    }

    /// Returns the next piece of the file, valid until the next read; nil at the end of the file.
    private func nextPiece(
        keeping limitBytes: Int = FormBody.keptBytes
    ) async throws(APIError) -> UnsafeRawBufferPointer? {
        guard !hasEnded, let piece = try await form.nextPiece() else {
            hasEnded = true
            return nil
        }
        bytes += piece.count
        if isReplayable { isReplayable = try await form.keep(piece, behind: &held, limitBytes: limitBytes) }
        return piece
    }

    /// Reads the first bytes of the file, which show its media type, and returns what `read` makes of them.
    func beginning<Value>(
        _ read: (UnsafeRawBufferPointer) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        while held.count < MediaType.neededBytes, try await nextPiece(keeping: .max) != nil {}
        return try read(held.bytes)
    }

    /// Reads the file and the rest of the form into memory.
    func readWhole() async throws(APIError) {
        form.body.mostKeptBytes = .max
        while try await nextPiece(keeping: .max) != nil {}
        try await readFields()
    }

    /// Reads the rest of the form after the file. Throws if the form has another file.
    func readFields() async throws(APIError) {
        guard try await form.nextFile() == nil else { throw .value("file", "only one file per request is supported") }
        isWhole = true
    }

    /// Reads the rest of a file that could be too large. Throws if it is too large: then whatever the vendor did in the
    /// meantime is no failure of the vendor.
    func readRest() async throws(APIError) {
        while form.body.canBeTooLarge, try await form.nextPiece() != nil {}
    }

    /// Uploads the file to a vendor while the file arrives.
    /// - Parameters:
    ///   - metadata: the options of the file that are known when the upload begins.
    ///   - atEnd: reads the rest of the form before the upload ends, and returns the options that became known since
    ///     its beginning. If it throws, the upload is cut off.
    func upload(
        _ label: FileLabel,
        _ metadata: FileMetadata = FileMetadata(),
        to provider: any FileProvider,
        by attempt: Attempt,
        atEnd: () async throws(APIError) -> FileMetadata
    ) async throws(UpstreamError) -> UploadedAsset {
        let upload = try await provider.upload(label, metadata, totalBytes: nil, by: attempt)
        defer { upload.stop() }
        try await upload.write(held.bytes)
        while upload.isWanted, let piece = try await arriving({ () async throws(APIError) in try await nextPiece() }) {
            try await upload.write(piece)
        }
        // A vendor that accepts no more bytes gives the reason in its response.
        let late = upload.isWanted ? try await arriving(atEnd) : FileMetadata()
        return try await upload.finish(late)
    }

    private func arriving<Value>(_ read: () async throws(APIError) -> Value) async throws(UpstreamError) -> Value {
        do throws(APIError) { return try await read() } catch { throw UpstreamError(refusing: error) }
    }
}
