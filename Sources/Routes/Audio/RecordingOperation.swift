import Calls
import Engine
import Shared
import Upstream

/// A request for a transcript in the relay's own form. The whole recording is in memory.
final class RecordingOperation: MediaOperation, OnLoop, @unchecked Sendable {
    private let purpose: TranscriptionCall.Purpose
    private let exchange: Exchange
    private let reader: OrderReader<(call: TranscriptionCall, recording: Body, label: FileLabel)>

    init(_ purpose: TranscriptionCall.Purpose, _ exchange: Exchange, _ content: RequestContent) {
        self.purpose = purpose
        self.exchange = exchange
        reader = OrderReader { () async throws(APIError) in
            let form = try await content.form(files: ["file"], fileLimitBytes: recordingLimitBytes)
            guard let recording = form.files.first?.bytes else { throw .missing("file") }
            guard form.files.count == 1 else { throw .value("file", "only one file per request is supported") }
            let call = try TranscriptionCall(purpose, FormFields(form.fields), isWhole: true)
            return (call, recording, try FileLabel(recording: recording.bytes))
        }
    }

    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia {
        let (call, recording, label) = try await reader.order()
        guard let provider = candidate.transcription, !candidate.model.features.isDisjoint(with: purpose.feature),
            let uploader = candidate.assetUploader
        else { throw .modelNotFound(call.model) }
        let prepared = try provider.prepare(call, for: candidate.model)
        let transcribe: MediaCall = { [exchange] (attempt) async throws(UpstreamError) in
            let (name, type) = (label.name, label.contentType)
            let file = try await uploader.keep(recording, filename: name, mediaType: type, by: attempt)
            let transcript = try await exchange.transcript(prepared, of: file, by: attempt)
            do throws(APIError) {
                return try transcript.response(to: call)
            } catch {
                throw UpstreamError(skipping: error)
            }
        }
        return PreparedMedia { transcribe }
    }
}
