import Engine
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

    package init(model: String, text: String, voice: String, format: String?, speed: Double?) {
        self.model = model
        self.text = text
        self.voice = voice
        self.format = format
        self.speed = speed
    }

    package static let limitCharacters = 4_096

    /// Before anything reads the text: as long as the longest one can be.
    package static func check(length bytes: Int, _ param: String) throws(APIError) {
        guard bytes <= 4 * limitCharacters else { throw tooLong(param) }
    }

    package func checkText(_ param: String) throws(APIError) {
        var text = text
        let (hasWords, characters) = text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            return (!scan.word().isEmpty, text.count { $0 & 0xc0 != 0x80 })
        }
        guard hasWords else { throw .value(param, "there is nothing to speak") }
        guard characters <= Self.limitCharacters else { throw Self.tooLong(param) }
    }

    private static func tooLong(_ param: String) -> APIError {
        .value(param, "at most \(limitCharacters) characters are spoken")
    }
}

/// A vendor that speaks. Used on one loop.
package protocol SpeechProvider: AnyObject, Sendable {
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(_ call: SpeechCall, for model: Model) throws(APIError) -> any PreparedSpeech
}

/// A text to be spoken in its vendor's form.
package protocol PreparedSpeech: AnyObject, Sendable {
    /// The address of the audio; not all vendors tell it.
    func address(by call: VendorCall) async throws(UpstreamError) -> (address: String, credits: Int?)
    /// Returns once audio has begun to come.
    func open(by call: VendorCall) async throws(UpstreamError) -> any AudioStream
}

/// Audio as it comes.
package protocol AudioStream: MediaStream {
    /// That the vendor took for it, where it said so before the audio came.
    var credits: Int? { get }
}
