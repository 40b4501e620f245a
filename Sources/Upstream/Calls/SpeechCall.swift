package import Engine
package import Shared

/// A text to be spoken, checked, free of any vendor.
package struct SpeechCall: Sendable {
    package let model: String
    package let text: String
    package let voice: String
    /// `mp3`, `opus`, `aac`, `flac`, `wav` or `pcm`; nil: none was asked for, which means mp3.
    package let format: String?
    /// 0.25 to 4.
    package let speed: Double?

    private static let limitCharacters = 4_096

    /// Reads `POST /v1/audio/speech`.
    package init(_ root: JSONValue) throws(APIError) {
        let fields = try RequestFields(root)
        guard let model = try fields.model(), !model.isEmpty else { throw .missing("model") }
        self.model = model
        guard let length = try fields.length("input") else { throw .missing("input") }
        try Self.check(length: length, "input")
        text = try fields.string("input") ?? ""
        voice = try Self.voice(fields)
        format = try fields.choice("response_format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
        speed = try fields.number("speed", 0.25...4)
        try checkText("input")
        _ = try fields.length("instructions")
        if try fields.choice("stream_format", ["audio", "sse"]) == "sse" {
            throw .value("stream_format", "only audio is offered here", code: "unsupported_value")
        }
    }

    private func checkText(_ param: String) throws(APIError) {
        var text = text
        let (hasWords, characters) = text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            return (!scan.word().isEmpty, text.count { $0 & 0xc0 != 0x80 })
        }
        guard hasWords else { throw .value(param, "there is nothing to speak") }
        guard characters <= Self.limitCharacters else { throw Self.tooLong(param) }
    }

    /// As long as the longest text can be, before anything reads it.
    private static func check(length bytes: Int, _ param: String) throws(APIError) {
        guard bytes <= 4 * limitCharacters else { throw tooLong(param) }
    }

    private static func tooLong(_ param: String) -> APIError {
        .value(param, "at most \(limitCharacters) characters are spoken")
    }

    /// The last text of the user, in a voice that most models know.
    package init(_ chat: ChatCall) throws(APIError) {
        model = chat.model
        text = chat.messages.last { $0.role == .user }?.text ?? ""
        try Self.check(length: text.utf8.count, "messages")
        voice = "alloy"
        format = nil
        speed = nil
        try checkText("messages")
    }

    /// A name, or an object with an `id`.
    private static func voice(_ fields: RequestFields) throws(APIError) -> String {
        guard let value = fields["voice"] else { throw .missing("voice") }
        guard let voice = value.text ?? value["id"]?.text else { throw .type("voice", "a string") }
        guard (1...128).contains(voice.count) else { throw .value("voice", "this is no voice's name") }
        return voice.text
    }
}

/// A vendor that speaks. Used on one loop.
package protocol SpeechProvider: AnyObject, Sendable {
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(_ call: SpeechCall, for model: Model, key: String) throws(APIError) -> any PreparedSpeech
}

/// A text to be spoken in its vendor's form.
package protocol PreparedSpeech: AnyObject, Sendable {
    /// Where the audio may be had; not all vendors say.
    func address() async throws(UpstreamError) -> (address: String, credits: Int?)
    /// Returns once audio has begun to come.
    func open() async throws(UpstreamError) -> any AudioStream
}

/// Audio as it comes.
package protocol AudioStream: MediaStream {
    /// That the vendor took for it, where it said so before the audio came.
    var credits: Int? { get }
}
