import Calls
import Engine
import Limits
import Shared
import Upstream

/// Handles POST /v1/audio/transcriptions: transcribes a recording.
func createTranscription(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await serveTranscription(.transcription, exchange, gateway: gateway)
}

/// Handles POST /v1/audio/translations: translates a recording into English text.
func createTranslation(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await serveTranscription(.translation, exchange, gateway: gateway)
}

/// Serves a transcription or translation. Uploads the recording to the vendor while it arrives.
private func serveTranscription(
    _ purpose: TranscriptionCall.Purpose,
    _ exchange: Exchange,
    gateway: Gateway
) async throws(APIError) {
    let caller = try await exchange.caller(.audio)
    let content = RequestContent(exchange)
    let operation = RecordingOperation(purpose, exchange, content)
    if let plan = try await exchange.forwardingPlan(purpose.endpoint, content, for: caller, or: operation) {
        return try await exchange.serve(plan, for: caller)
    }
    let form = try await content.formStream(files: ["file"], fileLimitBytes: recordingLimitBytes)
    guard try await form.nextFile() != nil else { throw .missing("file") }
    let request = TranscriptionRequest(purpose: purpose, caller: caller, form: form, exchange: exchange)

    let early = try request.knowsModel ? request.plan(isWhole: false) : nil
    // If the model's name follows the recording in the form, the first suitable model of the catalogue decides the
    // provider.
    let uploaders = early?.candidates ?? gateway.registry.uploader(for: caller, able: purpose.feature)
    let uploader = early?.candidate ?? uploaders?.leading
    let isAdmitted = early != nil || uploader != nil && !gateway.limits.dependsOnModels
    let admission = Admission.pending()
    exchange.use(admission.billing)
    if isAdmitted, let uploader { try await request.admit(uploader, admission) }
    let beginning = try await request.beginning()
    let upload = try await request.upload(uploaders, admission.billing)
    var plan: TranscriptionRequest.Plan?
    let atEnd = { () async throws(APIError) in
        guard try await form.nextFile() == nil else { throw .value("file", "only one file per request is supported") }
        let whole = try request.plan(isWhole: true, holding: upload)
        if !isAdmitted {
            try await request.admit(whole.candidate, admission)
        } else {
            admission.billing.bill(by: request.usageReservation(whole.candidate))
        }
        plan = whole
    }
    guard let upload, let provider = upload.candidate.transcription else {
        try await atEnd()
        throw .modelNotFound(exchange.record.model ?? "")
    }
    let fileCall = FileCall(provider, upload.call, for: upload.candidate, upload.attempts)
    let handed = try await form.pass(
        beginning.bytes,
        beginning.label,
        to: fileCall,
        atEnd: { (_) async throws(APIError) in
            try await atEnd()
            return FileMetadata()
        }
    )
    guard let plan else { throw .modelNotFound(exchange.record.model ?? "") }
    let transcript = try await request.transcript(plan, handed.asset, by: upload)
    guard case .whole(let type, let body) = try transcript.response(to: plan.call) else { return }
    exchange.recordCost()
    body.read { exchange.send(200, $0, type: type) }
}

/// The largest recording that is accepted, in bytes (25 MiB).
let recordingLimitBytes = 26_214_400

private struct TranscriptionRequest {
    /// The transcription call that the form's fields describe, and the candidates for it.
    struct Plan {
        let call: TranscriptionCall
        /// The candidate that is called first.
        let candidate: Candidate
        let candidates: Candidates
        let prepared: any PreparedTranscription
    }

    struct Beginning: ~Copyable {
        var bytes: ByteBuffer
        let label: FileLabel
    }

    let purpose: TranscriptionCall.Purpose
    let caller: Caller
    let form: FormStream
    let exchange: Exchange

    private var gateway: Gateway { exchange.gateway }

    var knowsModel: Bool { form.fields.contains { $0.name.isSame(as: "model") && !$0.text.isEmpty } }

    /// Makes the plan for serving the request from the form fields that have arrived so far.
    ///
    /// - Parameters:
    ///   - isWhole: whether all fields of the form have arrived.
    ///   - upload: the upload of the recording, whose provider and key the plan then uses; nil if there is none.
    func plan(isWhole: Bool, holding upload: Upload? = nil) throws(APIError) -> Plan {
        let call = try TranscriptionCall(purpose, FormFields(form.fields), isWhole: isWhole)
        exchange.record.model = call.model
        var candidates = try gateway.registry.candidates(call.model, for: caller, able: purpose.feature)
        if let upload {
            guard let holding = candidates.holding(upload.candidate, upload.call) else {
                throw .value(
                    "model",
                    "put 'model' before 'file' in the form, because not every provider serves this model"
                )
            }
            candidates = holding
        }
        let candidate = candidates.firstHealthy
        guard let provider = candidate.transcription else { throw .modelNotFound(call.model) }
        let prepared = try provider.prepare(call, for: candidate.model)
        return Plan(call: call, candidate: candidate, candidates: candidates, prepared: prepared)
    }

    func admit(_ candidate: Candidate, _ admission: borrowing Admission) async throws(APIError) {
        try await exchange.countUnknownKey(caller, servedBy: candidate)
        try await exchange.admit(applicableLimits(candidate), usageReservation(candidate), completing: admission)
    }

    func usageReservation(_ candidate: Candidate) -> UsageReservation? {
        let name = exchange.record.model ?? candidate.name
        return UsageReservation(transcriptOf: name, by: candidate, for: caller, applicableLimits(candidate), gateway)
    }

    private func applicableLimits(_ candidate: Candidate) -> ApplicableLimits {
        exchange.applicableLimits(caller, .audio, servedBy: candidate.name)
    }

    /// Reads the first bytes of the recording, which show its media type.
    func beginning() async throws(APIError) -> Beginning {
        let bytes = try await form.beginning(MediaType.neededBytes)
        let label = try FileLabel(recording: bytes.bytes)
        return Beginning(bytes: bytes, label: label)
    }

    /// The upload of the recording, which cannot be repeated.
    struct Upload {
        let candidate: Candidate
        let call: Attempt
        let attempts: Attempts
    }

    /// Chooses the candidate and the key for the upload of the recording. Returns nil without uploaders.
    func upload(_ uploaders: Candidates?, _ billing: Billing) async throws(APIError) -> Upload? {
        guard let uploaders else { return nil }
        let attempts = uploaders.attempts(billing: billing)
        do throws(UpstreamError) {
            let (candidate, call) = try await attempts.only()
            try await call.start()
            return Upload(candidate: candidate, call: call, attempts: attempts)
        } catch {
            throw APIError(error, model: uploaders.leading.name)
        }
    }

    func transcript(_ plan: Plan, _ file: UploadedAsset, by upload: Upload) async throws(APIError) -> Transcript {
        // The model may have come after the recording in the form.
        exchange.billing?.server = plan.candidate.server
        do throws(UpstreamError) {
            let transcript = try await exchange.transcript(plan.prepared, of: file, by: upload.call)
            upload.attempts.served()
            return transcript
        } catch {
            throw APIError(upload.attempts.recordFinalFailure(error), model: plan.call.model)
        }
    }
}

extension Exchange {
    func transcript(
        _ prepared: any PreparedTranscription,
        of file: UploadedAsset,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Transcript {
        do throws(UpstreamError) {
            try await attempt.start()
            let transcript = try await attempt.retrying { () async throws(UpstreamError) in
                try await prepared.transcript(of: file, by: attempt)
            }
            if let usage = transcript.usage {
                attempt.recordResponse(usage, credits: transcript.credits)
                record.usage = usage
                recordCost()
            } else {
                attempt.made(credits: transcript.credits)
            }
            return transcript
        } catch {
            attempt.failed(error)
            throw error
        }
    }
}

extension FileLabel {
    /// Creates the file name and media type from a recording's first bytes. Throws if the format is not supported.
    init(recording bytes: UnsafeRawBufferPointer) throws(APIError) {
        guard !bytes.isEmpty else { throw .value("file", "is empty") }
        guard let type = MediaType(content: bytes)?.asRecording else {
            throw .value("file", "must be one of flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav and webm")
        }
        self.init("audio", type)
    }
}

extension TranscriptionCall.Purpose {
    var endpoint: ForwardedEndpoint {
        switch self {
        case .transcription: .transcriptions
        case .translation: .translations
        }
    }

    var feature: Model.Features {
        switch self {
        case .transcription: .speechToText
        case .translation: .audioTranslation
        }
    }
}

extension MediaType {
    /// The media type under which vendors accept recordings of this type; nil if vendors accept none.
    fileprivate var asRecording: MediaType? {
        switch self {
        case .mp3, .wav, .flac, .ogg, .m4a, .mp4, .webm: self
        // Opus normally comes in an Ogg container.
        case .opus: .ogg
        default: nil
        }
    }
}
