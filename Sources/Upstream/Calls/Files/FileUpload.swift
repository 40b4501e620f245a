import Engine
package import Shared

/// The differences between vendors' file uploads: the upload form's fields and the response's format.
struct UploadRules {
    /// Whether the upload form contains the metadata of the file, such as the purpose.
    let sendsMetadata: Bool
    let refusal: (UpstreamHead, Body) -> UpstreamError
    let asset: (Body) throws(UpstreamError) -> UploadedAsset
}

/// A running upload of a file. `finish` completes the file; `stop` without `finish` cuts the connection.
package final class FileUpload: OnLoop, @unchecked Sendable {
    private let file: MultipartFile
    private let upload: any UpstreamUpload
    private let rules: UploadRules
    /// Whether the vendor still accepts bytes. If false, `finish` throws.
    package private(set) var isWanted = true
    private var isComplete = false

    private static let responseLimitBytes = 1_048_576

    init(_ file: consuming MultipartFile, _ upload: any UpstreamUpload, _ rules: UploadRules) {
        self.file = file
        self.upload = upload
        self.rules = rules
        upload.write(self.file.head)
    }

    /// Sends bytes of the file. Returns when the vendor can accept more bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError) {
        if isWanted { isWanted = try await upload.send(bytes) }
    }

    /// Ends the file and waits for the vendor's identifier of the stored file.
    /// - Parameter metadata: the options that have become known since the upload began.
    package func finish(_ metadata: FileMetadata) async throws(UpstreamError) -> UploadedAsset {
        let body: Body
        do throws(TransportError) {
            if isWanted { upload.write(file.tail(after: rules.sendsMetadata ? metadata.fields : [])) }
            try await upload.endBody()
            body = try await upload.collect(limitBytes: Self.responseLimitBytes)
            isComplete = true
        } catch {
            throw UpstreamError(error)
        }
        guard upload.head.status == 200 || upload.head.status == 201 else {
            throw rules.refusal(upload.head, body)
        }
        guard isWanted else { throw UpstreamError(.failed, cause: "the vendor accepted an incomplete file") }
        return try rules.asset(body)
    }

    package func stop() { upload.stop(isComplete: isComplete) }
}

extension UpstreamUpload {
    /// Sends bytes of the body as fast as the vendor receives them. Returns false once the vendor wants no more bytes.
    func send(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError) -> Bool {
        var (sent, isWanted) = (0, true)
        do throws(TransportError) {
            while isWanted, sent < bytes.count {
                let end = min(sent + 65_536, bytes.count)
                write(bytes[part: sent..<end])
                sent = end
                isWanted = try await drained()
            }
        } catch {
            throw UpstreamError(error)
        }
        return isWanted
    }
}
