package import Calls
package import Engine
package import Shared

extension OneMin: FileProvider, AssetKeeper {
    package func upload(
        _ label: FileLabel,
        totalBytes: Int?,
        by vendorCall: VendorCall
    ) throws(UpstreamError) -> any FileUpload {
        let file = MultipartFile(name: "asset", filename: label.name, contentType: label.contentType)
        let headers = UpstreamHeaders([
            "API-KEY: \(vendorCall.key)", "Content-Type: \(file.contentType)", "Expect:", "User-Agent: relay",
        ])
        do throws(TransportError) {
            let total = totalBytes.map { file.totalBytes(fileBytes: $0) }
            return OneMinUpload(file, try transport.upload(to: assets, headers, totalBytes: total), parser)
        } catch {
            throw UpstreamError(error)
        }
    }

    package func open(path: String, by vendorCall: VendorCall) async throws(UpstreamError) -> any MediaStream {
        try await OneMinContent(try await open(OneMinResults.file(at: path, assetURL), contentOptions)).begun()
    }

    /// Uploads what is there as a whole, few files at once. The filename needs an extension that fits, or the vendor
    /// refuses it.
    package func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by vendorCall: VendorCall
    ) async throws(UpstreamError) -> KeptAsset {
        guard await turns.take(vendorCall.key, on: loop) else { throw UpstreamError(.cancelled, cause: "cancelled") }
        defer { turns.give(vendorCall.key) }
        let label = FileLabel(name: filename, contentType: mediaType)
        let upload = try upload(label, totalBytes: bytes.bytes.count, by: vendorCall)
        defer { upload.stop() }
        try await upload.write(bytes.bytes)
        return try await upload.finish()
    }
}

/// `@unchecked`: used on its loop only.
final class OneMinUpload: FileUpload, @unchecked Sendable {
    private let file: MultipartFile
    private let upload: any UpstreamUpload
    private let parser: JSONParser
    private(set) var isWanted = true
    private var isComplete = false

    private static let replyLimitBytes = 1_048_576
    private static let pieceBytes = 65_536

    init(_ file: consuming MultipartFile, _ upload: any UpstreamUpload, _ parser: JSONParser) {
        self.file = file
        self.upload = upload
        self.parser = parser
        upload.write(self.file.head)
    }

    func write(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError) {
        var sent = 0
        do throws(TransportError) {
            while isWanted, sent < bytes.count {
                let end = min(sent + Self.pieceBytes, bytes.count)
                upload.write(bytes[part: sent..<end])
                sent = end
                isWanted = try await upload.drained()
            }
        } catch {
            throw UpstreamError(error)
        }
    }

    func finish() async throws(UpstreamError) -> KeptAsset {
        let reply: Body
        do throws(TransportError) {
            if isWanted { upload.write(file.tail) }
            try await upload.endBody()
            reply = try await upload.collect(limitBytes: Self.replyLimitBytes)
            isComplete = true
        } catch {
            throw UpstreamError(error)
        }
        guard upload.head.status == 200 || upload.head.status == 201 else {
            throw UpstreamError(upload.head, reply.bytes, parser)
        }
        guard isWanted else { throw UpstreamError(.failed, cause: "the vendor took a part of a file for the whole") }
        return try named(reply)
    }

    private func named(_ reply: Body) throws(UpstreamError) -> KeptAsset {
        guard let root = try? parser.parse(reply.bytes) else {
            throw UpstreamError(.failed, cause: "the vendor's answer to an upload is not JSON")
        }
        let content = root["fileContent"]
        guard let path = content?["path"]?.string ?? root["asset"]?["key"]?.string, !path.isEmpty else {
            throw UpstreamError(ofBody: root, cause: "the vendor's answer to an upload names no file")
        }
        return KeptAsset(path: path, id: content?["uuid"]?.string ?? "")
    }

    func stop() { upload.stop(isComplete: isComplete) }
}
