package import Shared

/// Speech to be written down, checked, free of any vendor. The audio is set apart.
package struct TranscriptionCall: Sendable {
    package enum Purpose: Sendable {
        case transcription
        /// Into English.
        case translation
    }

    package enum Format: String, CaseIterable, Sendable {
        case json, text, srt, vtt
        case verboseJSON = "verbose_json"
        case diarizedJSON = "diarized_json"
    }

    package let purpose: Purpose
    package let model: String
    /// A tag such as `en` or `en-US`; nil: the model finds out.
    package let language: String?
    package let prompt: String?
    /// 0 to 1.
    package let temperature: Double?
    package let format: Format
    package var isStreamed = false

    package init(
        _ purpose: Purpose,
        model: String,
        language: String? = nil,
        prompt: String? = nil,
        temperature: Double? = nil,
        format: Format
    ) {
        self.purpose = purpose
        self.model = model
        self.language = language
        self.prompt = prompt
        self.temperature = temperature
        self.format = format
    }

    /// The text of a recording and nothing else, in whatever language it is.
    package init(plainOf model: String) { self.init(.transcription, model: model, format: .text) }
}

/// A vendor that writes down what is said. Used on one loop.
package protocol TranscriptionProvider: FileProvider, AssetKeeper {
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(_ call: TranscriptionCall, for model: Model) throws(APIError) -> any PreparedTranscription
}

/// Speech to be written down in its vendor's form.
package protocol PreparedTranscription: AnyObject, Sendable {
    /// `file`: the audio, which was uploaded with the same key.
    func transcript(of file: KeptAsset, by call: VendorCall) async throws(UpstreamError) -> Transcript
}

/// The transcript of a recording, as a vendor made it.
package struct Transcript: Sendable {
    package struct Segment: Sendable {
        package let id: Int
        package let seek: Int
        /// Seconds, as `end`.
        package let start: Double
        package let end: Double
        package let text: String
        package let tokens: [Int]
        package let temperature: Double
        package let averageLogProbability: Double
        package let compressionRatio: Double
        package let noSpeechProbability: Double

        package init(
            id: Int,
            seek: Int,
            times: (start: Double, end: Double),
            text: String,
            tokens: [Int],
            quality: (temperature: Double, averageLogProbability: Double, compressionRatio: Double, noSpeech: Double)
        ) {
            self.id = id
            self.seek = seek
            (start, end) = times
            self.text = text
            self.tokens = tokens
            temperature = quality.temperature
            averageLogProbability = quality.averageLogProbability
            compressionRatio = quality.compressionRatio
            noSpeechProbability = quality.noSpeech
        }
    }

    /// In the format that was asked for, as far as the vendor gave it.
    package let text: String
    package let language: String?
    package let durationSeconds: Double?
    /// Nil: the vendor gave none, or none that is whole.
    package let segments: [Segment]?
    /// As the vendor counted.
    package let usage: Usage?
    /// That the vendor took for it.
    package let credits: Int?

    package init(
        text: String,
        language: String?,
        durationSeconds: Double?,
        segments: [Segment]?,
        usage: Usage?,
        credits: Int?
    ) {
        self.text = text
        self.language = language
        self.durationSeconds = durationSeconds
        self.segments = segments
        self.usage = usage
        self.credits = credits
    }
}
