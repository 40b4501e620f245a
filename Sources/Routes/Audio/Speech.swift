import Engine
import Limits
import Shared
import Upstream

/// A speech request in the relay's own form.
final class SpeechOperation: MediaOperation, OnLoop, @unchecked Sendable {
    private let reader: OrderReader<(call: SpeechCall, fields: ForwardedFields)>

    init(_ content: RequestContent) {
        reader = OrderReader { () async throws(APIError) in
            try await content.json { (root) throws(APIError) in
                (call: try SpeechCall(root), fields: try ForwardedFields(root, .speech))
            }
        }
    }

    func read() async throws(APIError) -> (model: String?, fields: ForwardedFields, features: Model.Features) {
        let (call, fields) = try await reader.order()
        return (call.model, fields, .textToSpeech)
    }

    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia {
        let call = try await reader.order().call
        guard let provider = candidate.speech else { throw .modelNotFound(call.model) }
        let speech = try provider.prepare(call, for: candidate.model)
        return PreparedMedia {
            { (attempt) async throws(UpstreamError) in
                .audio(
                    try await attempt.retrying(billsFailure: true) { () async throws(UpstreamError) in
                        try await speech.open(by: attempt)
                    }
                )
            }
        }
    }
}
