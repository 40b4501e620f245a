import Engine
package import Shared

/// The files at a server with OpenAI's files API. The relay's path of a file is `files/` followed by the file's id.
extension OpenAILike: FileProvider {
    private static let folder = "files/"
    private static let idLimitBytes = 512  // another relay's ids have up to some 460

    package var opensWithoutKey: Bool { false }
    package var keepsLabels: Bool { true }

    package func upload(
        _ label: FileLabel,
        _ metadata: FileMetadata,
        totalBytes: Int?,
        by attempt: Attempt
    ) async throws(UpstreamError) -> FileUpload {
        let file = MultipartFile(
            name: "file",
            filename: label.name,
            contentType: label.contentType,
            fields: metadata.fields
        )
        let headers = wire.headers.headers(for: attempt.key, replacing: ["Content-Type: \(file.contentType)"])
        let request = RefusedRequest(nil, beside: [label.name, label.contentType])
        let response = UploadRules(sendsMetadata: true) { [self] (head, body) in
            let isUnknown = head.status == 404 || head.status == 405
            return isUnknown ? UpstreamError(skipping: .noFilesKept) : refusal(head, body, to: request)
        } asset: { [self] (body) throws(UpstreamError) in
            try asset(body)
        }
        let endpoint = try fileEndpoint("files", site.options)
        let upload = try await attempt.upload(to: endpoint, headers, totalBytes: nil, on: wire.transport)
        return FileUpload(file, upload, response)
    }

    private func asset(_ response: Body) throws(UpstreamError) -> UploadedAsset {
        guard let root = try? wire.tools.parser.parse(response.bytes) else {
            throw UpstreamError(.failed, cause: "the vendor's response to an upload is not JSON")
        }
        guard let id = root["id"]?.string, Self.isID(id) else {
            if root["error"]?.kind == .object { throw failure(root) }
            throw UpstreamError(.failed, cause: "the vendor's response to an upload has no file")
        }
        return UploadedAsset(path: Self.folder + id, id: id)
    }

    package func open(path: String, by attempt: Attempt) async throws(UpstreamError) -> any MediaStream {
        let call = UpstreamCall(
            endpoint: try fileEndpoint(ofFile: path, "/content"),
            headers: wire.headers.headers(for: attempt.key),
            body: nil
        )
        return try await attempt.retrying { () async throws(UpstreamError) in
            let stream = try await attempt.open(call, on: wire.transport)
            if stream.head.status == 200 { return try await StoredFileStream(stream).begun() }
            let error = try await refusal(stream, to: RefusedRequest(nil, beside: [path]))
            throw stream.head.status == 404 ? UpstreamError(refusing: .lostFile) : error
        }
    }

    package func delete(path: String, by attempt: Attempt) async throws(UpstreamError) {
        let call = UpstreamCall(
            endpoint: try fileEndpoint(ofFile: path, ""),
            headers: wire.headers.headers(for: attempt.key),
            body: nil,
            isDeletion: true
        )
        try await attempt.retrying { () async throws(UpstreamError) in
            let response = try await attempt.send(call, on: wire.transport)
            if response.head.status == 404 { return }
            guard response.head.status / 100 == 2 else {
                throw refusal(response.head, response.body, to: RefusedRequest(nil, beside: [path]))
            }
            // Some servers send only the status.
            if response.body.bytes.isEmpty { return }
            let root = try? wire.tools.parser.parse(response.body.bytes)
            if let root, root["error"]?.kind == .object { throw failure(root) }
            guard root?["deleted"]?.flag == true else {
                throw UpstreamError(.failed, cause: "the vendor did not confirm that it deleted a file")
            }
        }
    }

    // MARK: Addresses

    /// Returns the endpoint for a stored file: `path` followed by `rest`. Throws if `path` is not the path of a file.
    private func fileEndpoint(ofFile path: String, _ rest: String) throws(UpstreamError) -> Endpoint {
        // A forged file id could contain another path.
        guard path.utf8.starts(with: Self.folder.utf8), Self.isID(String(path.dropFirst(Self.folder.count))) else {
            throw UpstreamError(refusing: .lostFile)
        }
        return try fileEndpoint(path + rest, site.options.forContent)
    }

    private func fileEndpoint(_ path: String, _ options: EndpointOptions) throws(UpstreamError) -> Endpoint {
        guard let endpoint = Endpoint("\(site.baseURL)/\(path)", options) else {
            throw UpstreamError(.failed, cause: "the provider has no such URL")
        }
        return endpoint
    }

    private static func isID(_ id: String) -> Bool {
        (1...idLimitBytes).contains(id.utf8.count) && !id.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
            && id.utf8.allSatisfy { $0.isLetterOrDigit(or: "-_.") }
    }

    /// Returns the error in the body of a response whose HTTP status is successful.
    private func failure(_ root: JSONValue) -> UpstreamError {
        wire.headers.hiding(ErrorResponseReader.error(in: root, errorTable))
    }
}

extension APIError {
    fileprivate static var noFilesKept: APIError {
        APIError(404, "The provider does not store files.", code: "unsupported_endpoint")
    }

    fileprivate static var lostFile: APIError { APIError(404, "The provider no longer has this file.", param: "id") }
}
