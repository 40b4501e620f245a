import Engine
package import Shared

extension OneMin: SpeechProvider {
    package func prepare(_ call: SpeechCall, for model: Model) throws(APIError) -> any PreparedSpeech {
        var body = ByteBuffer()
        body.append(#"{"type":"TEXT_TO_SPEECH","model":"#, json: model.id, #","promptObject":{"#)
        try SpeechFamily(of: model.id).append(call, to: &body)
        body.append("}}")
        let use = OneMinUse(model: model.id, feature: .textToSpeech)
        return OneMinSpeech(self, use, Body(body), mayBeSamples: call.format == "pcm")
    }
}

/// A call to 1min.ai that generates speech. The response is the audio itself, or a JSON record that names the audio
/// file.
final class OneMinSpeech: PreparedSpeech, OnLoop, @unchecked Sendable {
    private let vendor: OneMin
    private let use: OneMinUse
    private let body: Body
    private let mayBeSamples: Bool

    private static let recordLimitBytes = 1_048_576
    /// The largest audio that is accepted, in bytes.
    private static let audioLimitBytes = 268_435_456

    init(_ vendor: OneMin, _ use: OneMinUse, _ body: Body, mayBeSamples: Bool) {
        self.vendor = vendor
        self.use = use
        self.body = body
        self.mayBeSamples = mayBeSamples
    }

    func open(by attempt: Attempt) async throws(UpstreamError) -> any AudioStream {
        let stream = try await vendor.complete(body, use, attempt: attempt) {
            [vendor, use] (call) async throws(UpstreamError) in try await vendor.opened(call, use, attempt: attempt)
        }
        guard stream.head.isJSON else { return try await audio(stream) }
        let record = try await stream.whole(limitBytes: Self.recordLimitBytes)
        let results = try OneMinResults(record.bytes, assetURL: vendor.assetURL, vendor.parser)
        do throws(UpstreamError) {
            return try await audio(vendor.open(results.files[0]), credits: results.credits)
        } catch {
            throw error.reporting(credits: results.credits)
        }
    }

    func address(by attempt: Attempt) async throws(UpstreamError) -> (address: String, credits: Int?) {
        let results = try await vendor.results(of: body, use, attempt)
        return (results.files[0].address, results.credits)
    }

    private func audio(
        _ stream: any UpstreamStream,
        credits: Int? = nil
    ) async throws(UpstreamError) -> any AudioStream {
        let audio = try await StoredFileStream(stream, credits: credits, limitBytes: Self.audioLimitBytes).begun()
        if audio.type?.family == .audio { return audio }
        if audio.type == nil, mayBeSamples {
            audio.mediaType = "audio/pcm"
            return audio
        }
        audio.stop()
        throw UpstreamError(.failed, cause: "the vendor's audio is not audio")
    }
}

/// A group of similar speech models, with the request fields that they accept besides text and voice.
struct SpeechFamily: Sendable {
    /// The names of the models' voices; nil if the relay does not know them.
    private let voices: [String]?
    /// Whether the models accept `response_format` and `speed`.
    private let hasSettings: Bool

    init(of id: String) {
        hasSettings = id.hasPrefix("tts-1")
        voices =
            hasSettings
            ? ["alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse"] : nil
    }

    /// Appends a call's text and options as members of the request's `promptObject`. Throws if the models do not
    /// support an option.
    func append(_ call: SpeechCall, to body: inout ByteBuffer) throws(APIError) {
        if let voices, !voices.contains(call.voice) {
            throw .value("voice", "must be one of \(voices.joined(separator: ", "))")
        }
        body.append(#""text":"#, json: call.text)
        body.append("voice", call.voice)
        guard hasSettings else {
            if let format = call.format, format != "mp3" {
                throw .unsupportedValue("response_format", "this model does not support choosing it")
            }
            if let speed = call.speed, speed != 1 {
                throw .unsupportedValue("speed", "this model supports only one speed")
            }
            return
        }
        body.append("response_format", call.format ?? "mp3")
        if let speed = call.speed { body.append("speed", speed) }
    }
}
