import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/audio/transcriptions
func createTranscription(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await writeDown(.transcription, exchange, gateway)
}

/// POST /v1/audio/translations
func createTranslation(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await writeDown(.translation, exchange, gateway)
}

/// The recording goes to the vendor while it comes, and the vendor sees no end of it until the whole form has been found
/// good. What stands before it in the form is judged before it is read; where the model does not, the first provider that
/// transcribes anything gets it.
private func writeDown(
    _ purpose: TranscriptionCall.Purpose,
    _ exchange: Exchange,
    _ gateway: Gateway
) async throws(APIError) {
    let caller = try await exchange.caller(.audio)
    if try await exchange.forward(purpose.endpoint, for: caller, or: OwnTranscript(purpose, exchange)) { return }
    let form = try exchange.formStream(files: ["file"], fileLimitBytes: recordingLimitBytes)
    guard try await form.nextFile() != nil else { throw .missing("file") }
    let request = TranscriptionRequest(purpose: purpose, caller: caller, form: form, exchange: exchange)

    let early = try request.knowsModel ? request.plan(isWhole: false) : nil
    let uploaders = early?.candidates ?? gateway.registry.uploader(for: caller, able: purpose.feature)
    let uploader = early?.candidate ?? uploaders?.leading
    let isAdmitted = early != nil || uploader != nil && !gateway.limits.dependsOnModels
    let admission = Admission.pending()
    exchange.use(admission.sheet)
    if isAdmitted, let uploader { try await request.admit(uploader, admission) }
    let beginning = try await request.beginning()
    let attempt = try await request.attempt(uploaders, admission.sheet)
    var plan: TranscriptionRequest.Plan?
    let atEnd = { () async throws(APIError) in
        guard try await form.nextFile() == nil else { throw .value("file", "one file at a time is taken") }
        let whole = try request.plan(isWhole: true, holding: attempt)
        if !isAdmitted {
            try await request.admit(whole.candidate, admission)
        } else {
            admission.sheet.bill(by: request.terms(whole.candidate))
        }
        plan = whole
    }
    guard let attempt, let provider = attempt.candidate.transcription else {
        try await atEnd()
        throw .modelNotFound(exchange.record.model ?? "")
    }
    let keeper = FileKeeper(provider, attempt)
    let handed = try await form.pass(
        beginning.bytes,
        beginning.label,
        to: keeper,
        atEnd: { (_) async throws(APIError) in
            try await atEnd()
            return FileTerms()
        }
    )
    guard let plan else { throw .modelNotFound(exchange.record.model ?? "") }
    let transcript = try await request.transcript(plan, handed.asset, by: attempt)
    try exchange.send(transcript, plan.call)
}

/// Of one recording.
let recordingLimitBytes = 26_214_400

/// One request for a transcript.
private struct TranscriptionRequest {
    /// The result of a form's fields.
    struct Plan {
        let call: TranscriptionCall
        /// The one that serves it, or would at first.
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

    /// - Parameter holder: the call that handed the file over; nil: none did yet.
    func plan(isWhole: Bool, holding holder: SingleAttempt? = nil) throws(APIError) -> Plan {
        let call = try TranscriptionCall(purpose, FormFields(form.fields), isWhole: isWhole)
        exchange.record.model = call.model
        let registry = gateway.registry
        let candidates =
            if let holder {
                Candidates(inOrder: [
                    try registry.candidate(
                        call.model,
                        for: caller,
                        able: purpose.feature,
                        holding: holder.candidate,
                        holder.call
                    )
                ])
            } else {
                try registry.candidates(call.model, for: caller, able: purpose.feature)
            }
        let candidate = candidates.firstSound
        guard let provider = candidate.transcription else { throw .modelNotFound(call.model) }
        let prepared = try provider.prepare(call, for: candidate.model)
        return Plan(call: call, candidate: candidate, candidates: candidates, prepared: prepared)
    }

    func admit(_ candidate: Candidate, _ admission: borrowing Admission) async throws(APIError) {
        try await exchange.countStray(caller, servedBy: candidate)
        try await exchange.admit(cover(candidate), terms(candidate), completing: admission)
    }

    func terms(_ candidate: Candidate) -> CallTerms? {
        let name = exchange.record.model ?? candidate.name
        return CallTerms(transcriptOf: name, by: candidate, for: caller, cover(candidate), gateway)
    }

    private func cover(_ candidate: Candidate) -> Cover {
        exchange.cover(caller, .audio, servedBy: candidate.name)
    }

    /// Of the recording, which tells its type.
    func beginning() async throws(APIError) -> Beginning {
        let bytes = try await form.beginning(MediaType.neededBytes)
        let label = try FileLabel(recording: bytes.bytes)
        return Beginning(bytes: bytes, label: label)
    }

    /// Nil: nobody could take the file.
    func attempt(_ uploaders: Candidates?, _ sheet: CallSheet) async throws(APIError) -> SingleAttempt? {
        guard let uploaders else { return nil }
        do throws(UpstreamError) {
            let attempt = try await uploaders.single(billing: sheet)
            try await attempt.call.start()
            return attempt
        } catch {
            throw APIError(error, model: uploaders.leading.name)
        }
    }

    func transcript(
        _ plan: Plan,
        _ file: KeptAsset,
        by attempt: SingleAttempt
    ) async throws(APIError) -> Transcript {
        // The model may have been named behind the recording.
        exchange.sheet?.server = plan.candidate.server
        do throws(UpstreamError) {
            let transcript = try await exchange.transcript(plan.prepared, of: file, by: attempt.call)
            attempt.served()
            return transcript
        } catch {
            throw APIError(attempt.failure(error), model: plan.call.model)
        }
    }
}

extension Exchange {
    func transcript(
        _ prepared: any PreparedTranscription,
        of file: KeptAsset,
        by vendorCall: VendorCall
    ) async throws(UpstreamError) -> Transcript {
        do throws(UpstreamError) {
            try await vendorCall.start()
            let transcript = try await vendorCall.attempt { () async throws(UpstreamError) in
                try await prepared.transcript(of: file, by: vendorCall)
            }
            if let usage = transcript.usage {
                vendorCall.answered(usage, credits: transcript.credits)
                record.usage = usage
                noteCost()
            } else {
                vendorCall.made(credits: transcript.credits)
            }
            return transcript
        } catch {
            vendorCall.failed(error)
            throw error
        }
    }
}

extension FileLabel {
    /// Of a recording, by its content.
    init(recording bytes: UnsafeRawBufferPointer) throws(APIError) {
        guard !bytes.isEmpty else { throw .value("file", "is empty") }
        guard let type = MediaType(content: bytes)?.asRecording else {
            throw .value("file", "must be one of flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav and webm")
        }
        self.init("audio", type)
    }
}

extension TranscriptionCall.Purpose {
    fileprivate var endpoint: ForwardedEndpoint {
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
    /// The kind of recording that vendors take; nil: they do not take it.
    fileprivate var asRecording: MediaType? {
        switch self {
        case .mp3, .wav, .flac, .ogg, .m4a, .mp4, .webm: self
        // Opus in its usual wrapping.
        case .opus: .ogg
        default: nil
        }
    }
}
