import Engine
import Glibc
import Shared
import Upstream

/// GET /v1/files
func listFiles(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let (caller, owner) = try await fileOwner(responder, gateway)
    let page = try FilePage(FormFields(request.queryFields), of: owner)
    try await responder.admit(gateway.limits.cover(caller, .files, request))
    let files: [FileShelf.Listed]
    do throws(StoreFailure) {
        files = try await gateway.files.files(of: owner, at: time(nil), on: gateway.loop)
    } catch {
        throw .storeAway("Files cannot be listed now.", error)
    }
    let (shown, hasMore) = page.cut(files)
    var body = ByteBuffer()
    body.append(#"{"object":"list","data":["#)
    for (index, file) in shown.enumerated() {
        if index > 0 { body.append(",") }
        body.append(file.id, file.file)
    }
    body.append(#"],"first_id":"#)
    body.append(json: shown.first?.id.text ?? "")
    body.append(#","last_id":"#)
    body.append(json: shown.last?.id.text ?? "")
    body.append(hasMore ? #","has_more":true}"# : #","has_more":false}"#)
    responder.send(json: body)
}

/// GET /v1/files/{id}
func showFile(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let (id, file) = try await namedFile(responder, gateway).file
    var body = ByteBuffer()
    body.append(id, file)
    responder.send(json: body)
}

/// GET /v1/files/{id}/content
func showFileContent(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let file = try await namedFile(responder, gateway).file.file
    do throws(UpstreamError) {
        guard let provider = gateway.registry.fileProvider(named: file.provider) else {
            throw UpstreamError(.failed, cause: "the provider that keeps the file is no more")
        }
        responder.provider = file.provider
        try await responder.pass(try await provider.open(path: file.path), totalBytes: file.bytes)
    } catch {
        throw APIError(error, model: "", .none)
    }
}

/// DELETE /v1/files/{id}: from here on it is not found. The vendor keeps what it has; it offers no way to delete that.
func deleteFile(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let (owner, (id, _)) = try await namedFile(responder, gateway)
    let wasThere: Bool
    do throws(StoreFailure) {
        wasThere = try await gateway.files.delete(id, of: owner, on: gateway.loop)
    } catch {
        throw .storeAway("Files cannot be deleted now.", error)
    }
    guard wasThere else { throw .noFile(id.text) }
    var body = ByteBuffer()
    body.append(#"{"id":"#)
    body.append(json: id.text)
    body.append(#","object":"file","deleted":true}"#)
    responder.send(json: body)
}

// MARK: Owners and ids

/// Who calls, if he may own files.
func fileOwner(_ responder: Responder, _ gateway: Gateway) async throws(APIError) -> (caller: Caller, owner: FileOwner)
{
    guard let request = responder.request else { throw .noKey }
    let caller = try await responder.caller(.files, countsStrays: false)
    guard let owner = FileOwner(caller, secret: gateway.settings.fileSecret) else {
        guard let bearer = try request.bearer() else { throw .noKey }
        throw .wrongKey(bearer.text)
    }
    return (caller, owner)
}

/// The file of this caller's that the path names.
private func namedFile(
    _ responder: Responder,
    _ gateway: Gateway
) async throws(APIError) -> (owner: FileOwner, file: FileShelf.Listed) {
    guard let request = responder.request else { throw .noKey }
    let (caller, owner) = try await fileOwner(responder, gateway)
    try await responder.admit(gateway.limits.cover(caller, .files, request))
    // In the same words whatever is wrong with the id.
    let id = responder.named ?? ""
    guard let file = try await gateway.file(id, of: owner) else { throw .noFile(id) }
    return (owner, file)
}

extension Gateway {
    /// Nil: the owner has no such file, or none any more. While the store is away, what was deleted is found again, as
    /// after a flush.
    func file(_ id: String, of owner: FileOwner) async throws(APIError) -> FileShelf.Listed? {
        let now = time(nil)
        do throws(StoreFailure) {
            return try await files.file(id, of: owner, at: now, on: loop)
        } catch {
            if Task.isCancelled { throw .clientLeft }
            log.warning("a file may have been deleted: it cannot be looked up") { $0.add("cause", error.reason) }
            return owner.open(id).flatMap { $0.file.isLive(at: now) ? $0 : nil }
        }
    }
}

extension APIError {
    fileprivate static func noFile(_ id: String) -> APIError {
        APIError(404, "No such File object: \(id.prefix(64))", param: "id")
    }

    fileprivate static func storeAway(_ what: String, _ failure: StoreFailure) -> APIError {
        var error = APIError(503, "\(what) Try again soon.", type: "server_error", code: "store_unavailable")
        error.retryAfterSeconds = 1
        error.cause = failure.reason
        return error
    }
}
