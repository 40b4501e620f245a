import Engine
import Glibc
import Shared
import Upstream

/// POST /v1/files. The file goes to the vendor while it comes, and is there only once the whole form has been found
/// good: until then the vendor sees no end of it.
func createFile(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let (caller, owner) = try await fileOwner(responder, gateway)
    guard let keeper = gateway.registry.fileKeeper(for: caller) else {
        throw APIError(404, "No provider that keeps files is open to this key.", code: "unsupported_endpoint")
    }
    let form = try responder.formStream(files: ["file"], fileLimitBytes: gateway.settings.maxUploadBytes)
    try await responder.admit(gateway.limits.cover(caller, .files, request))
    guard try await form.nextFile() != nil else { throw .missing("file") }
    _ = try FileTerms(form.fields, isWhole: false)
    responder.provider = keeper.name
    let file = try await hand(form, to: keeper)
    guard let id = owner.id(of: file), let kept = owner.open(id) else {
        let failure = UpstreamError(.failed, cause: "the vendor's name for a file is too long")
        throw APIError(failure, model: "", keeper.credential)
    }
    do throws(StoreFailure) {
        try await gateway.files.add(id, of: owner, on: gateway.loop)
    } catch {
        // It is used by its id all the same.
        gateway.log.warning("a file is missing from its owner's list") { line in
            line.add("id", word: responder.requestID)
            line.add("cause", error.reason)
        }
    }
    var body = ByteBuffer()
    body.append(id, kept)
    responder.send(json: body)
}

private func hand(_ form: FormStream, to keeper: FileKeeper) async throws(APIError) -> StoredFile {
    let given = form.file?.filename?.utf8.count ?? 0
    guard given <= StoredFile.givenNameLimitBytes else {
        throw .tooLong("file", given, limitBytes: StoredFile.givenNameLimitBytes)
    }
    let beginning = try await form.beginning(MediaType.neededBytes)
    guard !beginning.isEmpty else { throw .value("file", "it is empty") }
    let name = form.file?.filename.flatMap { $0.isEmpty ? nil : $0 } ?? "file"
    let label = FileLabel(name, claimed: form.file?.contentType, beginning: beginning.bytes)
    var terms = try FileTerms(form.fields, isWhole: false)
    var bytes = 0
    let kept = try await form.pass(beginning, label, to: keeper) { (fileBytes) async throws(APIError) in
        guard try await form.nextFile() == nil else { throw .value("file", "one at a time is taken") }
        terms = try FileTerms(form.fields, isWhole: true)
        bytes = fileBytes
    }
    let now = time(nil)
    return StoredFile(
        provider: keeper.name,
        account: keeper.account,
        vendorID: kept.id,
        path: kept.path,
        name: name,
        bytes: bytes,
        purpose: terms.purpose ?? .userData,
        createdAt: now,
        expiresAt: terms.lifetimeSeconds.map { now + $0 }
    )
}
