package import Engine
package import Shared

extension OneMin: AssetKeeper {
    private static let replyLimitBytes = 1_048_576
    private static let pieceBytes = 65_536

    /// Uploads a picture, and returns what the vendor calls it.
    func upload(
        _ bytes: Body,
        _ name: StaticString,
        _ type: MediaType,
        key: String
    ) async throws(UpstreamError) -> String {
        let filename = "\(name).\(type.fileExtension)"
        return try await keep(bytes, filename: filename, mediaType: type.rawValue, key: key).path
    }

    /// The filename needs an extension that fits, or the vendor refuses it.
    package func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        key: String
    ) async throws(UpstreamError) -> KeptAsset {
        let file = MultipartFile(name: "asset", filename: filename, contentType: mediaType)
        let headers = UpstreamHeaders([
            "API-KEY: \(key)", "Content-Type: \(file.contentType)", "Expect:", "User-Agent: relay",
        ])
        guard await turns.take(key, on: loop) else { throw UpstreamError(.cancelled, cause: "cancelled") }
        defer { turns.give(key) }
        let head: UpstreamHead
        let reply: Body
        do throws(TransportError) {
            (head, reply) = try await send(file, bytes, headers)
        } catch {
            throw UpstreamError(error)
        }
        guard head.status == 200 || head.status == 201 else { throw UpstreamError(head, reply.bytes, parser) }
        guard let root = try? parser.parse(reply.bytes) else {
            throw UpstreamError(.failed, cause: "the vendor's answer to an upload is not JSON")
        }
        guard let path = root["fileContent"]?["path"]?.string ?? root["asset"]?["key"]?.string, !path.isEmpty else {
            throw UpstreamError(ofBody: root, cause: "the vendor's answer to an upload names no file")
        }
        return KeptAsset(path: path, id: root["fileContent"]?["uuid"]?.string ?? "")
    }

    private func send(
        _ file: borrowing MultipartFile,
        _ bytes: Body,
        _ headers: UpstreamHeaders
    ) async throws(TransportError) -> (UpstreamHead, Body) {
        let total = file.totalBytes(fileBytes: bytes.bytes.count)
        let upload = try transport.upload(to: assets, headers, totalBytes: total)
        var isComplete = false
        defer { upload.stop(isComplete: isComplete) }
        upload.write(file.head.bytes)
        var isWanted = true
        var sent = 0
        while isWanted, sent < bytes.bytes.count {
            let end = min(sent + Self.pieceBytes, bytes.bytes.count)
            upload.write(bytes.bytes[part: sent..<end])
            sent = end
            if upload.isFull { isWanted = try await upload.drained() }
        }
        if isWanted { upload.write(file.tail.bytes) }
        try await upload.endBody()
        let reply = try await upload.collect(limitBytes: Self.replyLimitBytes)
        isComplete = true
        return (upload.head, reply)
    }
}
