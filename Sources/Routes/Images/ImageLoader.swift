import Engine
import Shared
import Upstream

/// A loader for images that a caller's request refers to by URL or by file id.
struct ImageLoader: Sendable {
    let caller: Caller
    let gateway: Gateway
    let billing: Billing

    /// Returns the image to edit, and the candidate to call.
    ///
    /// If the candidate's vendor stores the file and there is no mask, the returned image is only the file's path at
    /// the vendor. The returned candidate then uses the key with which the file was uploaded.
    func image(
        _ part: Attachment,
        isMasked: Bool,
        _ candidate: Candidate
    ) async throws(APIError) -> (ImageCall.Image, Candidate) {
        if case .file(let id) = part.source, !isMasked {
            let file = try await stored(id, part.param)
            if let reader = candidate.reading(file) {
                guard file.isImage else { throw .image(part.param, "is not an image", code: "invalid_image_format") }
                return (.address(file.path), reader)
            }
        }
        return (try editable(try await bytes(part), part.param), candidate)
    }

    func bytes(_ part: Attachment) async throws(APIError) -> Body {
        switch part.source {
        case .data(let text):
            guard let bytes = try await text.decoded(on: gateway.loop, by: gateway.worker) else {
                throw .notBase64(part.param)
            }
            return bytes
        case .address(let address):
            return try await Image.fetch(
                address,
                by: gateway.fetcher,
                limitBytes: mediaLimitBytes,
                param: part.param
            ).bytes
        case .kept, .words: preconditionFailure("it was only just read")
        case .file(let id): return try await content(of: try await stored(id, part.param), part.param)
        }
    }

    private func stored(_ id: String, _ param: String) async throws(APIError) -> StoredFile {
        guard let owner = FileOwner(caller, secret: gateway.settings.fileSecret),
            let found = try await gateway.file(id, of: owner)
        else { throw .value(param, "no file with this id exists") }
        return found.file
    }

    private func content(of file: StoredFile, _ param: String) async throws(APIError) -> Body {
        guard file.bytes <= mediaLimitBytes else { throw .image(param, "is too large", code: "image_too_large") }
        let server = billing.server
        defer { billing.server = server }
        let fileCall = try await gateway.fileCall(of: file, for: caller, billing: billing)
        defer { fileCall.freeCapacity() }
        do throws(UpstreamError) {
            return try await fileCall.made { (provider, call) async throws(UpstreamError) in
                let stream = try await provider.open(path: file.path, by: call)
                defer { stream.stop() }
                var whole = ByteBuffer()
                var piece = ByteBuffer()
                while try await stream.more() {
                    stream.receive(into: &piece)
                    guard whole.count + piece.count <= mediaLimitBytes else {
                        throw UpstreamError(.failed, cause: "the vendor's file is larger than before")
                    }
                    whole.append(piece.bytes)
                    piece.removeAll()
                }
                return Body(whole)
            }
        } catch {
            throw APIError(error)
        }
    }
}
