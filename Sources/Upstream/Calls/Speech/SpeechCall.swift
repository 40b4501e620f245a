import Engine
package import Shared

/// A checked text-to-speech request, in a form that does not depend on the vendor.
package struct SpeechCall: Sendable {
    package let model: String
    package let text: String
    package let voice: String
    /// The audio format: `mp3`, `opus`, `aac`, `flac`, `wav` or `pcm`; nil means mp3.
    package let format: String?
    /// The speed of the speech, from 0.25 to 4; nil if the request gives no speed.
    package let speed: Double?

    package init(model: String, text: String, voice: String, format: String?, speed: Double?) {
        self.model = model
        self.text = text
        self.voice = voice
        self.format = format
        self.speed = speed
    }

    static let limitCharacters = 4_096

    /// Throws if a text of this many bytes must have too many characters, even at four bytes for each.
    package static func check(length bytes: Int, _ param: String) throws(APIError) {
        guard bytes <= 4 * limitCharacters else { throw tooLong(param) }
    }

    /// Throws if the text contains no words or too many characters.
    package func checkText(_ param: String) throws(APIError) {
        guard text.hasWords else { throw .value(param, "must contain text to speak") }
        guard text.utf8.count(where: { $0 & 0xc0 != 0x80 }) <= Self.limitCharacters else { throw Self.tooLong(param) }
    }

    private static func tooLong(_ param: String) -> APIError {
        .value(param, "must have at most \(limitCharacters) characters")
    }
}

/// A vendor that turns text into speech. It is used on one event loop only.
package protocol SpeechProvider: AnyObject, Sendable {
    /// Converts a speech call into the vendor's form. Throws if the model does not support an option.
    func prepare(_ call: SpeechCall, for model: Model) throws(APIError) -> any PreparedSpeech
}

/// A text-to-speech call in the form of one vendor, ready to be sent.
package protocol PreparedSpeech: AnyObject, Sendable {
    /// Makes the audio. Returns the vendor's URL of the audio and the charged credits.
    ///
    /// The credits are nil if the vendor did not report them.
    func address(by call: Attempt) async throws(UpstreamError) -> (address: String, credits: Int?)
    /// Makes the audio; returns its stream when the first bytes have arrived.
    func open(by call: Attempt) async throws(UpstreamError) -> any AudioStream
}

/// Generated audio that arrives from the vendor as a stream.
package protocol AudioStream: MediaStream {
    /// The charged credits; nil if the vendor did not report them before the audio began.
    var credits: Int? { get }
}
