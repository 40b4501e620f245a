import Engine
import Shared

/// The differences between vendors' file uploads: the upload form's fields and the response's format.
struct UploadRules {
    /// Whether the upload form contains the metadata of the file, such as the purpose.
    let sendsMetadata: Bool
    let refusal: (UpstreamHead, Body) -> UpstreamError
    let asset: (Body) throws(UpstreamError) -> UploadedAsset
}

final class MultipartUpload: FileUpload, OnLoop, @unchecked Sendable {
    private let file: MultipartFile
    private let upload: any UpstreamUpload
    private let rules: UploadRules
    private(set) var isWanted = true
    private var isComplete = false

    private static let responseLimitBytes = 1_048_576

    init(_ file: consuming MultipartFile, _ upload: any UpstreamUpload, _ rules: UploadRules) {
        self.file = file
        self.upload = upload
        self.rules = rules
        upload.write(self.file.head)
    }

    func write(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError) {
        if isWanted { isWanted = try await upload.send(bytes) }
    }

    func finish(_ metadata: FileMetadata) async throws(UpstreamError) -> UploadedAsset {
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

    func stop() { upload.stop(isComplete: isComplete) }
}
