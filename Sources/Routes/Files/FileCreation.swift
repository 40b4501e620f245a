import Calls
import Engine
import Glibc
import Limits
import Shared
import Upstream

/// Handles POST /v1/files: sends the file to a vendor while the file arrives.
func createFile(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let (caller, owner) = try await fileOwner(exchange, gateway)
    guard let candidate = gateway.registry.fileCandidate(for: caller) else {
        throw APIError(404, "This key has no access to a provider that stores files.", code: "unsupported_endpoint")
    }
    let form = try exchange.formStream(files: ["file"], fileLimitBytes: gateway.settings.maxUploadBytes)
    let admission = try await exchange.admit(gateway.limits.applicableLimits(caller, .files, request: exchange.request))
    guard try await form.nextFile() != nil else { throw .missing("file") }
    _ = try FileMetadata(form.fields, isWhole: false)
    let fileCall: FileCall
    do throws(UpstreamError) {
        fileCall = try await candidate.fileCall(billing: admission.billing)
    } catch {
        throw APIError(error, model: "")
    }
    let (file, credential) = try await hand(form, to: fileCall, of: candidate, billing: admission.billing)
    guard let id = owner.id(of: file), let kept = owner.open(id) else {
        let failure = UpstreamError(.failed, cause: "the vendor's id of a file is too long")
        throw APIError(failure, model: "", credential)
    }
    do throws(StoreFailure) {
        try await gateway.files.add(id, of: owner, on: gateway.loop)
    } catch {
        // The file can still be used by its id.
        gateway.log.warning("cannot add a file to the list of its owner") { line in
            line.add("id", word: exchange.requestID)
            line.add("cause", error.reason)
        }
    }
    exchange.send(json: fileObject(id, kept))
}

/// Uploads the file of a form to a vendor. Returns the file's metadata and the key with which it was uploaded.
private func hand(
    _ form: FormStream,
    to fileCall: FileCall,
    of candidate: FileCandidate,
    billing: Billing
) async throws(APIError) -> (StoredFile, Credential) {
    let given = form.file?.filename?.utf8.count ?? 0
    guard given <= StoredFile.givenNameLimitBytes else {
        throw .tooLong("file", given, limitBytes: StoredFile.givenNameLimitBytes)
    }
    let beginning = try await form.beginning(MediaType.neededBytes)
    guard !beginning.isEmpty else { throw .value("file", "is empty") }
    let name = form.file?.filename.flatMap { $0.isEmpty ? nil : $0 } ?? "file"
    let claimed = form.file?.contentType
    let label =
        fileCall.provider.keepsLabels
        ? FileLabel(given: name, claimed: claimed) : FileLabel(name, claimed: claimed, beginning: beginning.bytes)
    let early = try FileMetadata(form.fields, isWhole: false)
    var metadata = early
    var bytes = 0
    var tried: Set<String> = []
    func next(_ refused: FileCall) async -> FileCall? {
        if let name = refused.call.credential.label { tried.insert(name) }
        return await candidate.nextFileCall(besides: tried, billing: billing)
    }
    func checkEnd(_ fileBytes: Int) async throws(APIError) -> FileMetadata {
        guard try await form.nextFile() == nil else { throw .value("file", "only one file per request is supported") }
        metadata = try FileMetadata(form.fields, isWhole: true)
        bytes = fileBytes
        return metadata.added(to: early)
    }
    let handed = try await form.pass(
        beginning,
        label,
        early,
        to: fileCall,
        orTo: candidate.hasMoreKeys ? next : nil,
        atEnd: checkEnd
    )
    let now = time(nil)
    let file = StoredFile(
        provider: candidate.name,
        account: handed.fileCall.account,
        vendorID: handed.asset.id,
        path: handed.asset.path,
        name: name,
        bytes: bytes,
        purpose: metadata.purpose ?? .userData,
        createdAt: now,
        expiresAt: metadata.lifetimeSeconds.map { now + $0 }
    )
    return (file, handed.fileCall.call.credential)
}
