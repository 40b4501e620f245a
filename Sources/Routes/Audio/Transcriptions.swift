import Engine
import Shared
import Upstream

/// POST /v1/audio/transcriptions
func createTranscription(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    try await writeDown(.transcription, responder, gateway)
}

/// POST /v1/audio/translations
func createTranslation(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    try await writeDown(.translation, responder, gateway)
}

/// The recording goes to the vendor while it comes, and the vendor sees no end of it until the whole form has been found
/// good. What stands before it in the form is judged before it is read; where the model does not, the first provider that
/// writes anything down takes it.
private func writeDown(
    _ purpose: TranscriptionCall.Purpose,
    _ responder: Responder,
    _ gateway: Gateway
) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try await responder.caller(.audio)
    let form = try responder.formStream(files: ["file"], fileLimitBytes: recordingLimitBytes)
    guard try await form.nextFile() != nil else { throw .missing("file") }
    let desk = Desk(purpose: purpose, caller: caller, request: request, form: form, responder: responder)

    let early = try desk.knowsModel ? desk.plan(isWhole: false) : nil
    let taker = early?.candidate ?? gateway.registry.taker(for: caller, able: purpose.feature)
    let isAdmitted = early != nil || taker != nil && !gateway.limits.dependsOnModels
    if isAdmitted, let taker { try await desk.admit(taker) }
    var plan: Desk.Plan?
    let file = try await desk.upload(to: taker) { () async throws(APIError) in
        guard try await form.nextFile() == nil else { throw .value("file", "one file at a time is taken") }
        let whole = try desk.plan(isWhole: true, holding: taker)
        if !isAdmitted {
            try await desk.admit(whole.candidate)
        } else if early == nil {
            responder.meter = desk.meter(whole.candidate)
        }
        plan = whole
    }
    guard let file, let plan else { throw .modelNotFound(responder.record.model ?? "") }
    let transcript = try await desk.transcript(plan, file)
    try responder.send(transcript, plan.call)
}

/// Of one recording.
private let recordingLimitBytes = 26_214_400

/// Where one request is worked on.
private struct Desk {
    /// What a form's fields come to.
    struct Plan {
        let call: TranscriptionCall
        let candidate: Registry.Candidate
        let prepared: any PreparedTranscription
    }

    let purpose: TranscriptionCall.Purpose
    let caller: Caller
    let request: Request
    let form: FormStream
    let responder: Responder

    private var gateway: Gateway { responder.gateway }

    var knowsModel: Bool { form.fields.contains { $0.name.isSame(as: "model") && !$0.text.isEmpty } }

    /// - Parameter taker: who has the file; nil: nobody yet.
    func plan(isWhole: Bool, holding taker: Registry.Candidate? = nil) throws(APIError) -> Plan {
        let call = try TranscriptionCall(purpose, FormFields(form.fields), isWhole: isWhole)
        responder.record.model = call.model
        let candidate =
            if let taker {
                try gateway.registry.candidate(call.model, for: caller, able: purpose.feature, holding: taker)
            } else {
                try gateway.registry.candidate(call.model, for: caller, able: purpose.feature)
            }
        guard let provider = candidate.provider as? any TranscriptionProvider else { throw .modelNotFound(call.model) }
        let prepared = try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
        return Plan(call: call, candidate: candidate, prepared: prepared)
    }

    func admit(_ candidate: Registry.Candidate) async throws(APIError) {
        try await responder.countStray(caller, servedBy: candidate)
        try await responder.admit(cover(candidate), meter(candidate))
    }

    func meter(_ candidate: Registry.Candidate) -> Meter? {
        Meter(images: 0, calls: 1, candidate, cover(candidate), gateway)
    }

    private func cover(_ candidate: Registry.Candidate) -> Cover {
        gateway.limits.cover(caller, .audio, request, model: candidate.name)
    }

    /// Nil: nobody is there who could take it. `atEnd`: called before the vendor is told that this was all.
    func upload(
        to taker: Registry.Candidate?,
        atEnd: () async throws(APIError) -> Void
    ) async throws(APIError) -> KeptAsset? {
        let beginning = try await form.beginning(MediaType.neededBytes)
        guard !beginning.isEmpty else { throw .value("file", "it is empty") }
        guard let type = MediaType(content: beginning.bytes)?.asRecording else {
            throw .value("file", "it is none of flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav and webm")
        }
        guard let taker, let keeper = FileKeeper(taker) else {
            try await atEnd()
            return nil
        }
        responder.provider = taker.provider.name
        responder.price = taker.price
        return try await form.pass(beginning, FileLabel("audio", type), to: keeper, model: taker.name) {
            (_) async throws(APIError) in try await atEnd()
        }
    }

    func transcript(_ plan: Plan, _ file: KeptAsset) async throws(APIError) -> Transcript {
        do throws(UpstreamError) {
            let transcript = try await responder.attempt { () async throws(UpstreamError) in
                try await plan.prepared.transcript(of: file)
            }
            responder.meter?.made(credits: transcript.credits)
            responder.record.usage = transcript.usage
            return transcript
        } catch {
            responder.meter?.failed(error)
            throw APIError(error, model: plan.call.model, plan.candidate.credential)
        }
    }
}

extension TranscriptionCall.Purpose {
    fileprivate var feature: Model.Features {
        switch self {
        case .transcription: .speechToText
        case .translation: .audioTranslation
        }
    }
}

extension MediaType {
    /// What vendors take as a recording; nil: they do not.
    fileprivate var asRecording: MediaType? {
        switch self {
        case .mp3, .wav, .flac, .ogg, .m4a, .mp4, .webm: self
        // Opus in its usual wrapping.
        case .opus: .ogg
        default: nil
        }
    }
}
