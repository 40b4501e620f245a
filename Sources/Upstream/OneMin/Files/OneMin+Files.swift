package import Engine
package import Shared

extension OneMin: FileProvider, AssetUploader {
    package var opensWithoutKey: Bool { true }
    package var keepsLabels: Bool { false }

    package func upload(
        _ label: FileLabel,
        _ metadata: FileMetadata,
        totalBytes: Int?,
        by attempt: Attempt
    ) async throws(UpstreamError) -> FileUpload {
        let file = MultipartFile(name: "asset", filename: label.name, contentType: label.contentType)
        let headers = UpstreamHeaders([
            "API-KEY: \(attempt.key)", "Content-Type: \(file.contentType)", "Expect:", "User-Agent: relay",
        ])
        let total = totalBytes.map { file.totalBytes(fileBytes: $0) }
        let response = UploadRules(sendsMetadata: false) { [parser] (head, body) in
            UpstreamError(head, body.bytes, parser: parser, of: .file)
        } asset: { [self] (body) throws(UpstreamError) in
            try asset(body)
        }
        let upload = try await attempt.upload(to: assets, headers, totalBytes: total, on: transport)
        return FileUpload(file, upload, response)
    }

    package func open(path: String, by attempt: Attempt) async throws(UpstreamError) -> any MediaStream {
        try await StoredFileStream(try await open(OneMinResults.file(at: path, assetURL), contentOptions)).begun()
    }

    /// Uploads a file that is in memory.
    /// - Parameter filename: its extension must match the media type, or the vendor refuses the file.
    package func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by attempt: Attempt
    ) async throws(UpstreamError) -> UploadedAsset {
        guard await turns.acquire(attempt.key, on: loop) else { throw UpstreamError(.cancelled, cause: "cancelled") }
        defer { turns.give(attempt.key) }
        let label = FileLabel(name: filename, contentType: mediaType)
        let upload = try await upload(label, FileMetadata(), totalBytes: bytes.bytes.count, by: attempt)
        defer { upload.stop() }
        try await upload.write(bytes.bytes)
        return try await upload.finish(FileMetadata())
    }

    /// Does nothing: the vendor cannot delete files.
    package func delete(path: String, by attempt: Attempt) async throws(UpstreamError) {}

    private func asset(_ response: Body) throws(UpstreamError) -> UploadedAsset {
        guard let root = try? parser.parse(response.bytes) else {
            throw UpstreamError(.failed, cause: "the vendor's response to an upload is not JSON")
        }
        let content = root["fileContent"]
        guard let path = content?["path"]?.string ?? root["asset"]?["key"]?.string, !path.isEmpty else {
            throw UpstreamError(ofBody: root, parser, cause: "the vendor's response to an upload has no file")
        }
        return UploadedAsset(path: path, id: content?["uuid"]?.string ?? "")
    }
}
