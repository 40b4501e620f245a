import Calls
import Engine
import Shared

/// The fields that models of one family take besides text and voice.
struct SpeechFamily: Sendable {
    /// Nil: names of the vendor's that are not known here.
    private let voices: [String]?
    /// `response_format` and `speed`.
    private let hasSettings: Bool

    init(of id: String) {
        hasSettings = id.hasPrefix("tts-1")
        voices =
            hasSettings
            ? ["alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse"] : nil
    }

    /// Appends the members of a call's `promptObject`. Throws what the client is told of a wish that the family does not
    /// know.
    func append(_ call: SpeechCall, to body: inout ByteBuffer) throws(APIError) {
        if let voices, !voices.contains(call.voice) {
            throw .value("voice", "must be one of \(voices.joined(separator: ", "))")
        }
        body.append(#""text":"#)
        body.append(json: call.text)
        body.append(member: "voice", call.voice)
        guard hasSettings else {
            if let format = call.format, format != "mp3" {
                throw .value("response_format", "this model chooses it itself", code: "unsupported_value")
            }
            if let speed = call.speed, speed != 1 {
                throw .value("speed", "this model knows one speed only", code: "unsupported_value")
            }
            return
        }
        body.append(member: "response_format", call.format ?? "mp3")
        guard let speed = call.speed else { return }
        body.append(#","speed":"#)
        body.append("\(speed)")
    }
}
