import Engine
package import Shared

/// A request to speak a text, checked, in a form that is independent of vendors.
package struct SpeechCall: Sendable {
    package let model: String
    package let text: String
    package let voice: String
    /// The audio format: `mp3`, `opus`, `aac`, `flac`, `wav` or `pcm`; nil if the request names none, which means mp3.
    package let format: String?
    /// The speed, from 0.25 to 4; nil if the request names none.
    package let speed: Double?

    package init(model: String, text: String, voice: String, format: String?, speed: Double?) {
        self.model = model
        self.text = text
        self.voice = voice
        self.format = format
        self.speed = speed
    }

    package static let limitCharacters = 4_096

    /// Throws if a text of `bytes` bytes is surely too long. Called before anything reads the text.
    package static func check(length bytes: Int, _ param: String) throws(APIError) {
        guard bytes <= 4 * limitCharacters else { throw tooLong(param) }
    }

    /// Throws if the text has no words or too many characters.
    package func checkText(_ param: String) throws(APIError) {
        var text = text
        let (hasWords, characters) = text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            return (!scan.word().isEmpty, text.count { $0 & 0xc0 != 0x80 })
        }
        guard hasWords else { throw .value(param, "must contain text to speak") }
        guard characters <= Self.limitCharacters else { throw Self.tooLong(param) }
    }

    private static func tooLong(_ param: String) -> APIError {
        .value(param, "must have at most \(limitCharacters) characters")
    }
}

/// A vendor that turns text into speech. Used on one loop.
package protocol SpeechProvider: AnyObject, Sendable {
    /// Converts a call into the vendor's form. Throws the client's error if the model does not support an option.
    func prepare(_ call: SpeechCall, for model: Model) throws(APIError) -> any PreparedSpeech
}

/// A text-to-speech call in its vendor's form.
package protocol PreparedSpeech: AnyObject, Sendable {
    /// Makes the audio and returns its address, which only some vendors report.
    func address(by call: VendorCall) async throws(UpstreamError) -> (address: String, credits: Int?)
    /// Makes the audio and returns when its first bytes have arrived.
    func open(by call: VendorCall) async throws(UpstreamError) -> any AudioStream
}

/// Audio that arrives as a stream.
package protocol AudioStream: MediaStream {
    /// The credits that the vendor charged; nil if it did not report them before the audio came.
    var credits: Int? { get }
}
