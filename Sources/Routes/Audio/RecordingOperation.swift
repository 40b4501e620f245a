import Engine
import Limits
import Shared
import Upstream

/// A request for a transcript in the relay's own form. The recording goes to the vendor while it arrives.
final class RecordingOperation: MediaOperation, OnLoop, @unchecked Sendable {
    private let purpose: TranscriptionCall.Purpose
    private let exchange: Exchange
    private let caller: Caller
    private let reader: OrderReader<FormFile>
    /// Whether the model follows the recording in the form, and was not known when the upload began.
    private var isModelLate = false

    init(
        _ purpose: TranscriptionCall.Purpose,
        _ exchange: Exchange,
        _ caller: Caller,
        _ content: RequestContent
    ) {
        self.purpose = purpose
        self.exchange = exchange
        self.caller = caller
        reader = OrderReader { () async throws(APIError) in
            let form = try content.formStream(files: ["file"])
            let file = try await FormFile(form)
            // A form that may also be forwarded is in memory.
            if content.isKept { try await file.readWhole() }
            return file
        }
    }

    var file: FormFile? { reader.known }

    func read() async throws(APIError) -> (model: String?, fields: ForwardedFields, features: Model.Features) {
        let file = try await reader.order()
        var model = try FormFields(file.form.fields).model()
        let gateway = exchange.gateway
        if model == nil,
            gateway.limits.dependsOnModels
                || (try? gateway.registry.candidates(nil, for: caller, able: purpose.feature)) == nil
        {
            try await file.readWhole()
            model = try TranscriptionCall(purpose, FormFields(file.form.fields), isWhole: true).model
        }
        isModelLate = model == nil
        return (model, ForwardedFields(file.form.fields), purpose.feature)
    }

    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia {
        let file = try await reader.order()
        if !isModelLate { _ = try call(for: candidate, isWhole: file.isWhole) }
        return PreparedMedia { [self] () async throws(APIError) in
            let label = try await file.beginning { (bytes) throws(APIError) in try FileLabel(recording: bytes) }
            return MediaCall(
                after: { [self] (attempt) async throws(UpstreamError) in
                    try await uploaded(file, label, candidate, attempt)
                },
                make: { (upload, _, attempt) async throws(UpstreamError) in
                    try await upload.call.prepared.transcript(of: upload.asset, by: attempt)
                },
                end: { made in
                    made.usage.map { Bill.Outcome(.responded, $0, credits: made.credits) }
                        ?? .made(credits: made.credits)
                },
                response: { [self] (upload, made) throws(UpstreamError) in try response(upload.call.asked, made[0]) }
            )
        }
    }

    private typealias Call = (asked: TranscriptionCall, prepared: any PreparedTranscription)

    /// Returns the call that the form's fields describe, also in the form of the candidate's vendor.
    private func call(for candidate: Candidate, isWhole: Bool) throws(APIError) -> Call {
        let call = try TranscriptionCall(purpose, FormFields(file?.form.fields ?? []), isWhole: isWhole)
        guard let provider = candidate.transcription, !candidate.model.features.isDisjoint(with: purpose.feature) else {
            throw .modelNotFound(call.model)
        }
        return (call, try provider.prepare(call, for: candidate.model))
    }

    /// Uploads the recording, and returns it with the call that the whole form describes.
    private func uploaded(
        _ file: FormFile,
        _ label: FileLabel,
        _ candidate: Candidate,
        _ attempt: Attempt
    ) async throws(UpstreamError) -> (asset: UploadedAsset, call: Call) {
        guard let uploader = candidate.transcription else { throw UpstreamError(refusing: .modelNotFound("")) }
        var whole: Call?
        let asset = try await file.upload(label, to: uploader, by: attempt) { () async throws(APIError) in
            try await file.readFields()
            whole = try call(for: try isModelLate ? namedCandidate(candidate) : candidate, isWhole: true)
            return FileMetadata()
        }
        guard let whole else { throw UpstreamError(.failed, cause: "the vendor accepted an incomplete file") }
        return (asset, whole)
    }

    private func response(_ call: TranscriptionCall, _ transcript: Transcript) throws(UpstreamError) -> MediaResponse {
        if let usage = transcript.usage {
            exchange.record.usage = usage
            exchange.recordCost()
        }
        do throws(APIError) {
            return try transcript.response(to: call)
        } catch {
            throw UpstreamError(skipping: error)
        }
    }

    /// Returns the candidate of the form's model at the provider that has the recording, and bills the request by it.
    private func namedCandidate(_ uploader: Candidate) throws(APIError) -> Candidate {
        let form = file?.form.fields ?? []
        let call = try TranscriptionCall(purpose, FormFields(form), isWhole: true)
        exchange.record.model = call.model
        let gateway = exchange.gateway
        let all = try gateway.registry.candidates(call.model, for: caller, able: purpose.feature)
        guard let candidate = all.first(of: uploader.provider) else {
            throw .value("model", "put 'model' before 'file' in the form, because not every provider serves this model")
        }
        let user = ForwardedFields(form).endUser
        let limits = exchange.applicableLimits(caller, .audio, servedBy: candidate.name, for: user)
        exchange.billing?.server = candidate.server
        exchange.billing?.bill(
            by: UsageReservation(transcriptOf: call.model, by: candidate, for: caller, limits, gateway)
        )
        return candidate
    }
}
