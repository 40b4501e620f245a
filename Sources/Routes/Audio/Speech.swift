package import Engine
import Limits
package import Shared
package import Upstream

/// A speech request in the relay's own form.
final class SpeechOperation: MediaOperation, OnLoop, @unchecked Sendable {
    private let reader: OrderReader<(call: SpeechCall, fields: ForwardedFields)>

    init(_ content: RequestContent) {
        reader = OrderReader { () async throws(APIError) in
            let deployment = content.deployment
            return try await content.json { (root) throws(APIError) in
                (call: try SpeechCall(root, deployment: deployment), fields: try ForwardedFields(root, .speech))
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
            MediaCall(
                after: { _ in },
                make: { (_, _, attempt) async throws(UpstreamError) in try await speech.open(by: attempt) },
                end: { _ in nil },
                response: { .audio($1[0]) }
            )
        }
    }
}

extension SpeechCall {
    /// Creates the speech call from the JSON body of `POST /v1/audio/speech`. Throws if a field is invalid.
    /// - Parameter deployment: the model that the path names; nil if the body names it.
    package init(_ root: JSONValue, deployment: String? = nil) throws(APIError) {
        let fields = try RequestFields(root)
        let model = if let deployment { deployment } else { try fields.model() ?? "" }
        guard !model.isEmpty else { throw .missing("model") }
        guard let length = try fields.length("input") else { throw .missing("input") }
        try Self.check(length: length, "input")
        self.init(
            model: model,
            text: try fields.string("input") ?? "",
            voice: try Self.voice(fields),
            format: try fields.choice("response_format", ["mp3", "opus", "aac", "flac", "wav", "pcm"]),
            speed: try fields.number("speed", 0.25...4)
        )
        try checkText("input")
        _ = try fields.length("instructions")
        if try fields.choice("stream_format", ["audio", "sse"]) == "sse" {
            throw .unsupportedValue("stream_format", "only audio is supported")
        }
    }

    /// Returns the name of the voice: the field `voice` or its `id`.
    private static func voice(_ fields: RequestFields) throws(APIError) -> String {
        guard let value = fields["voice"] else { throw .missing("voice") }
        guard let voice = value.text ?? value["id"]?.text else { throw .type("voice", "a string") }
        guard (1...128).contains(voice.count) else { throw .value("voice", "must be 1 to 128 characters long") }
        return voice.text
    }
}
