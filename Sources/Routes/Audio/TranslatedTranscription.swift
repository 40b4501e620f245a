import Calls
import Engine
import Shared
import Upstream

/// The translation of a transcription request for vendors that need the recording uploaded separately.
final class TranslatedTranscription: TranslatedEndpoint, OnLoop, @unchecked Sendable {
    private let purpose: TranscriptionCall.Purpose
    private let exchange: Exchange
    private var order: (call: TranscriptionCall, recording: Body, label: FileLabel)?

    init(_ purpose: TranscriptionCall.Purpose, _ exchange: Exchange) {
        self.purpose = purpose
        self.exchange = exchange
    }

    private func read() async throws(APIError) -> (call: TranscriptionCall, recording: Body, label: FileLabel) {
        if let order { return order }
        let form = try await exchange.heldForm(files: ["file"], fileLimitBytes: recordingLimitBytes)
        guard let recording = form.files.first?.bytes else { throw .missing("file") }
        guard form.files.count == 1 else { throw .value("file", "only one file per request is supported") }
        let call = try TranscriptionCall(purpose, FormFields(form.fields), isWhole: true)
        let read = (call, recording, try FileLabel(recording: recording.bytes))
        order = read
        return read
    }

    func calls(_ candidate: Candidate) async throws(APIError) -> Int {
        _ = try await prepared(candidate)
        return 1
    }

    private func prepared(_ candidate: Candidate) async throws(APIError) -> any PreparedTranscription {
        let call = try await read().call
        guard let provider = candidate.transcription, !candidate.model.features.isDisjoint(with: purpose.feature) else {
            throw .modelNotFound(call.model)
        }
        return try provider.prepare(call, for: candidate.model)
    }

    func serve(_ candidate: Candidate, _ attempt: Attempt) async throws(UpstreamError) {
        let (call, recording, label): (TranscriptionCall, Body, FileLabel)
        let prepared: any PreparedTranscription
        do throws(APIError) {
            (call, recording, label) = try await read()
            prepared = try await self.prepared(candidate)
        } catch {
            throw UpstreamError(skipping: error)
        }
        guard let uploader = candidate.assetUploader else {
            throw UpstreamError(.failed, cause: "the provider has no upload of recordings")
        }
        let file = try await uploader.keep(recording, filename: label.name, mediaType: label.contentType, by: attempt)
        let transcript = try await exchange.transcript(prepared, of: file, by: attempt)
        do throws(APIError) {
            try exchange.send(transcript, call)
        } catch {
            throw UpstreamError(skipping: error)
        }
    }
}
