package import Shared

/// A checked request to transcribe speech, independent of the vendor. It does not contain the audio.
package struct TranscriptionCall: Sendable {
    package enum Purpose: Sendable {
        case transcription
        /// The request translates the speech into English text.
        case translation
    }

    package enum Format: String, CaseIterable, Sendable {
        case json, text, srt, vtt
        case verboseJSON = "verbose_json"
        case diarizedJSON = "diarized_json"
    }

    package let purpose: Purpose
    package let model: String
    /// The language tag of the speech, such as `en-US`; nil if the model detects the language.
    package let language: String?
    package let prompt: String?
    /// The sampling temperature, from 0 to 1; nil if the request gives no temperature.
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

    /// Creates a call for a plain-text transcript of a recording. The model detects the language.
    package init(plainOf model: String) { self.init(.transcription, model: model, format: .text) }
}

/// A vendor that transcribes speech. It is used on one event loop only.
package protocol TranscriptionProvider: FileProvider, AssetUploader {
    /// Converts a transcription call into the vendor's form. Throws if the model does not support an option.
    func prepare(_ call: TranscriptionCall, for model: Model) throws(APIError) -> any PreparedTranscription
}

/// A transcription call in the form of one vendor, ready to be sent.
package protocol PreparedTranscription: AnyObject, Sendable {
    /// Transcribes a recording that has been uploaded.
    /// - Parameter file: the audio, uploaded with the key that `call` uses.
    func transcript(of file: UploadedAsset, by call: Attempt) async throws(UpstreamError) -> Transcript
}

/// The transcript of a recording, as a vendor made it.
package struct Transcript: Sendable {
    package struct Segment: Sendable {
        package let id: Int
        package let seek: Int
        /// The start of the segment in the recording, in seconds.
        package let start: Double
        /// The end of the segment in the recording, in seconds.
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

    /// The text that the vendor returned. It might not be in the requested format.
    package let text: String
    package let language: String?
    package let durationSeconds: Double?
    /// The segments of the transcript; nil if the vendor returned no segments or incomplete ones.
    package let segments: [Segment]?
    /// The usage that the vendor reported; nil if it reported no usage.
    package let usage: Usage?
    /// The credits that the vendor charged; nil if it did not report them.
    package let credits: Int?
}
