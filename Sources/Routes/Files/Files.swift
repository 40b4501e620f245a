import Engine
import Glibc
import Limits
import Shared
import Upstream

/// Handles GET /v1/files: lists the caller's files.
func listFiles(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let (caller, owner) = try await fileOwner(exchange, gateway)
    let page = try FilePage(FormFields(exchange.request.queryFields), of: owner)
    _ = try await exchange.admit(caller, .files)
    let files: [FileStore.Listed]
    do throws(StoreFailure) {
        files = try await gateway.files.files(of: owner, at: time(nil), on: gateway.loop)
    } catch {
        throw .storeUnreachable("Files cannot be listed at the moment.", error)
    }
    let (shown, hasMore) = page.cut(files)
    exchange.send(
        json: #"""
            {"object":"list","data":\#(shown.map { fileObject($0.id, $0.file) }),"first_id":\#(shown.first?.id.text ?? ""),\#
            "last_id":\#(shown.last?.id.text ?? ""),"has_more":\#(hasMore)}
            """#
    )
}

/// Handles GET /v1/files/{id}: describes one file.
func showFile(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let named = try await namedFile(exchange, gateway)
    exchange.send(json: fileObject(named.id, named.file))
}

/// Handles GET /v1/files/{id}/content: sends the content of a file.
func showFileContent(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let named = try await namedFile(exchange, gateway)
    let file = named.file
    let fileCall = try await gateway.fileCall(of: file, for: named.caller, billing: named.admission.billing)
    do throws(UpstreamError) {
        try await fileCall.made { (provider, call) async throws(UpstreamError) in
            let content = try await provider.open(path: file.path, by: call)
            try await exchange.pass(content, totalBytes: file.bytes)
        }
    } catch {
        throw APIError(error)
    }
}

/// Handles DELETE /v1/files/{id}: deletes a file at the vendor, if possible, and in the relay's list.
func deleteFile(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let named = try await namedFile(exchange, gateway)
    let (id, file) = (named.id, named.file)
    let fileCall = try await gateway.fileCall(of: file, for: named.caller, billing: named.admission.billing)
    do throws(UpstreamError) {
        try await fileCall.made { (provider, call) async throws(UpstreamError) in
            try await provider.delete(path: file.path, by: call)
        }
    } catch {
        throw APIError(error)
    }
    let wasThere: Bool
    do throws(StoreFailure) {
        wasThere = try await gateway.files.delete(id, of: named.owner, on: gateway.loop)
    } catch {
        throw .storeUnreachable("Files cannot be deleted at the moment.", error)
    }
    guard wasThere else { throw .noFile(id.text) }
    exchange.send(json: #"{"id":\#(id.text),"object":"file","deleted":true}"#)
}

// MARK: Owners and ids

/// Returns the request's caller, and the owner of the caller's files. Throws if the caller cannot own files.
func fileOwner(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) -> (caller: Caller, owner: FileOwner) {
    let caller = try await exchange.caller(.files, countsUnknownKeys: false)
    guard let owner = FileOwner(caller, secret: gateway.settings.fileSecret) else {
        guard let bearer = try exchange.request.bearer() else { throw .noKey }
        throw .wrongKey(bearer.text)
    }
    return (caller, owner)
}

/// The file that a request names in its path, with its owner. The request has been admitted.
private struct NamedFile: ~Copyable {
    let caller: Caller
    let owner: FileOwner
    let admission: Admission
    let id: FileID
    let file: StoredFile
}

private func namedFile(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) -> NamedFile {
    let (caller, owner) = try await fileOwner(exchange, gateway)
    let admission = try await exchange.admit(caller, .files)
    let name = exchange.named ?? ""
    guard let (id, file) = try await gateway.file(name, of: owner) else { throw .noFile(name) }
    return NamedFile(caller: caller, owner: owner, admission: admission, id: id, file: file)
}

extension Gateway {
    func fileCall(of file: StoredFile, for caller: Caller, billing: Billing) async throws(APIError) -> FileCall {
        let fileCall: FileCall?
        do throws(UpstreamError) {
            fileCall = try await registry.fileCall(of: file, for: caller, billing: billing)
        } catch {
            throw APIError(error)
        }
        guard let fileCall else { throw .noFileCall }
        return fileCall
    }

    /// Returns a file; nil if the owner has no such file. May return a deleted file while the file store is
    /// unavailable.
    func file(_ id: String, of owner: FileOwner) async throws(APIError) -> FileStore.Listed? {
        let now = time(nil)
        do throws(StoreFailure) {
            return try await files.file(id, of: owner, at: now, on: loop)
        } catch {
            if Task.isCancelled { throw .clientLeft }
            log.warning("cannot check whether a file was deleted") { $0.add("cause", error.reason) }
            return owner.open(id).flatMap { $0.file.isLive(at: now) ? $0 : nil }
        }
    }
}

extension APIError {
    fileprivate static var noFileCall: APIError {
        var error = APIError(
            502,
            "The provider or the key that this file was uploaded with is no longer configured. Upload the file again.",
            type: "server_error",
            code: "upstream_error"
        )
        error.isRetryUseless = true
        return error
    }

    fileprivate static func noFile(_ id: String) -> APIError {
        APIError(404, "No such File object: \(id.prefix(64))", param: "id")
    }
}
