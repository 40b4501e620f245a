import Engine
import Shared

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
        body.append(member: "voice", call.voice)
        guard hasSettings else {
            if let format = call.format, format != "mp3" {
                throw .unsupportedValue("response_format", "this model does not support choosing it")
            }
            if let speed = call.speed, speed != 1 {
                throw .unsupportedValue("speed", "this model supports only one speed")
            }
            return
        }
        body.append(member: "response_format", call.format ?? "mp3")
        guard let speed = call.speed else { return }
        body.append(#","speed":"#)
        body.append("\(speed)")
    }
}
