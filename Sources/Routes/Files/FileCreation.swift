import Engine
import Glibc
import Limits
import Shared
import Upstream

/// Handles POST /v1/files: sends the file to a vendor while the file arrives.
func createFile(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let (caller, owner) = try await fileOwner(exchange, gateway)
    guard let candidates = gateway.registry.fileCandidates(for: caller) else {
        throw APIError(404, "This key has no access to a provider that stores files.", code: "unsupported_endpoint")
    }
    let content = RequestContent(exchange)
    let form = try content.formStream(files: ["file"], fileLimitBytes: gateway.settings.maxUploadBytes)
    let admission = try await exchange.admit(caller, .files)
    let task = FileCreation(try await FormFile(form))
    try await task.check()
    // One key can use only its own files, so those of a caller are uploaded with one key.
    let affinity = caller.identity.map { AffinityValue($0.digest.words.0) }
    let attempts = candidates.attempts(billing: admission.billing, affinity: affinity)
    let made: FileCreation.Made
    do throws(UpstreamError) {
        let begun = try await candidates.attempt(task, attempts)
        made = begun.response
        begun.served()
    } catch {
        if error.kind != .cancelled { try await task.file.readRest() }
        throw APIError(error)
    }
    guard let id = owner.id(of: made.file), let kept = owner.open(id) else {
        let failure = UpstreamError(.failed, cause: "the vendor's id of a file is too long")
        throw APIError(failure, made.credential)
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

/// An upload of a caller's file, which one of several providers stores.
private final class FileCreation: UpstreamTask, OnLoop, @unchecked Sendable {
    /// The metadata of an uploaded file, and the key with which it was uploaded.
    struct Made: Sendable {
        let file: StoredFile
        let credential: Credential
    }

    struct Fit: AttemptFit {
        let candidate: Candidate
        var keepsDeadline: Bool { false }
    }

    let file: FormFile
    private var form: FormStream { file.form }

    init(_ file: FormFile) { self.file = file }

    var otherWaitNanoseconds: UInt64 { form.body.wait.nanoseconds }

    /// Checks the name, the fields that have arrived and the first bytes of the file.
    func check() async throws(APIError) {
        _ = try FileMetadata(form.fields, isWhole: false)
        let given = form.file?.filename?.utf8.count ?? 0
        guard given <= StoredFile.givenNameLimitBytes else {
            throw .tooLong("file", given, limitBytes: StoredFile.givenNameLimitBytes)
        }
        guard try await file.beginning({ !$0.isEmpty }) else { throw .value("file", "is empty") }
    }

    func fit(_ candidate: Candidate, at index: Int) async throws(APIError) -> Fit { Fit(candidate: candidate) }

    func open(_ fit: Fit, _ attempt: Attempt) async throws(UpstreamError) -> Made {
        do throws(UpstreamError) {
            let file = try await attempt.unbilled(concernsKey: false) { () async throws(UpstreamError) in
                try await made(by: fit.candidate, attempt)
            }
            return Made(file: file, credential: attempt.credential)
        } catch {
            var error = error
            error.isFinal = !file.isReplayable
            throw error
        }
    }

    private func made(by candidate: Candidate, _ attempt: Attempt) async throws(UpstreamError) -> StoredFile {
        guard let provider = candidate.files else {
            throw UpstreamError(.failed, cause: "the provider stores no files")
        }
        let name = form.file?.filename.flatMap { $0.isEmpty ? nil : $0 } ?? "file"
        let claimed = form.file?.contentType
        let early: FileMetadata
        let label: FileLabel
        do throws(APIError) {
            early = try FileMetadata(form.fields, isWhole: false)
            label = try await file.beginning { (bytes) throws(APIError) in
                provider.keepsLabels
                    ? FileLabel(given: name, claimed: claimed) : FileLabel(name, claimed: claimed, beginning: bytes)
            }
        } catch {
            throw UpstreamError(refusing: error)
        }
        var metadata = early
        let asset = try await file.upload(label, early, to: provider, by: attempt) { () async throws(APIError) in
            try await file.readFields()
            metadata = try FileMetadata(form.fields, isWhole: true)
            return metadata.added(to: early)
        }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return StoredFile(
            provider: candidate.provider.name,
            account: attempt.credential.accountNumber,
            vendorID: asset.id,
            path: asset.path,
            name: name,
            bytes: file.bytes,
            purpose: metadata.purpose ?? .userData,
            createdAt: now.tv_sec,
            createdMicroseconds: now.tv_nsec / 1_000,
            expiresAt: metadata.lifetimeSeconds.map { now.tv_sec + $0 }
        )
    }
}

extension FileMetadata {
    /// Reads the form fields that describe the uploaded file.
    /// - Parameter isWhole: whether a missing required field is an error.
    init(_ fields: [(name: String, text: String)], isWhole: Bool) throws(APIError) {
        let fields = FormFields(
            fields.map { field in
                // `FormFields` ignores text in brackets, so these names are rewritten.
                if field.name.isSame(as: "expires_after[anchor]") { return ("expires_after.anchor", field.text) }
                if field.name.isSame(as: "expires_after[seconds]") { return ("expires_after.seconds", field.text) }
                return field
            }
        )
        let name = try fields.choice("purpose", FilePurpose.allCases.map { "\($0.name)" })
        self.init()
        purpose = name.flatMap { FilePurpose(name: $0) }
        if isWhole, purpose == nil { throw .missing("purpose") }
        guard try fields.string("expires_after") == nil else { throw .type("expires_after", "an object") }
        let anchor = try fields.choice("expires_after.anchor", ["created_at"])
        lifetimeSeconds = try fields.integer("expires_after.seconds", 3_600...2_592_000)
        if isWhole, (anchor == nil) != (lifetimeSeconds == nil) {
            throw .missing(anchor == nil ? "expires_after.anchor" : "expires_after.seconds")
        }
    }
}
