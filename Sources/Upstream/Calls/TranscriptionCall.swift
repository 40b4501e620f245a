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
    package let isStreamed: Bool

    /// Reads `POST /v1/audio/transcriptions` or `/v1/audio/translations`.
    ///
    /// - Parameter isWhole: no more fields will come.
    package init(_ purpose: Purpose, _ fields: FormFields, isWhole: Bool) throws(APIError) {
        self.purpose = purpose
        guard let model = try fields.model() else { throw .missing("model") }
        self.model = model
        let names = Format.allCases.filter { purpose == .transcription || $0 != .diarizedJSON }.map(\.rawValue)
        format = try fields.choice("response_format", names).flatMap(Format.init) ?? .json
        prompt = try fields.string("prompt", limitBytes: Self.promptLimitBytes)
        temperature = try fields.number("temperature", 0...1)
        guard purpose == .transcription else {
            language = nil
            isStreamed = false
            return
        }
        language = try Self.language(fields)
        isStreamed = try fields.flag("stream") ?? false
        try Self.checkTimes(fields, format, isWhole: isWhole)
        for field: StaticString in [
            "include", "languages", "keywords", "known_speaker_names", "known_speaker_references",
        ]
        where try fields.string(field) != nil {
            throw .unsupported("\(field)", "'\(field)' is not offered here.")
        }
        if let strategy = try fields.string("chunking_strategy"), !strategy.isSame(as: "auto") {
            throw .value("chunking_strategy", "only auto is offered here", code: "unsupported_value")
        }
    }

    /// The text of a recording and nothing else, in whatever language it is.
    package init(plainOf model: String) {
        purpose = .transcription
        self.model = model
        language = nil
        prompt = nil
        temperature = nil
        format = .text
        isStreamed = false
    }

    /// Models look at the last few hundred words of it.
    private static let promptLimitBytes = 32_000
    private static let languageLimitBytes = 100

    private static func language(_ fields: FormFields) throws(APIError) -> String? {
        guard let tag = try fields.string("language", limitBytes: languageLimitBytes) else { return nil }
        let parts = tag.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let isTag =
            (1...4).contains(parts.count)
            && parts.enumerated().allSatisfy { index, part in
                (index == 0 ? 2...3 : 2...8).contains(part.count)
                    && part.allSatisfy {
                        (97...122).contains($0 | 32) || index > 0 && (48...57).contains($0)
                    }
            }
        guard isTag else { throw .value("language", "it must be a language's code, such as en or en-US") }
        return tag
    }

    private static func checkTimes(_ fields: FormFields, _ format: Format, isWhole: Bool) throws(APIError) {
        let times = fields.strings("timestamp_granularities")
        guard times.allSatisfy({ $0.isSame(as: "segment") || $0.isSame(as: "word") }) else {
            throw .value("timestamp_granularities", "it must be segment or word")
        }
        if times.contains("word") {
            throw .value("timestamp_granularities", "times of words are not offered here", code: "unsupported_value")
        }
        guard times.isEmpty || format == .verboseJSON || !isWhole else {
            throw .value("timestamp_granularities", "it needs the response_format verbose_json")
        }
    }
}

/// A vendor that writes down what is said. Used on one loop.
package protocol TranscriptionProvider: FileProvider, AssetKeeper {
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(
        _ call: TranscriptionCall,
        for model: Model,
        key: String
    ) throws(APIError) -> any PreparedTranscription
}

/// Speech to be written down in its vendor's form.
package protocol PreparedTranscription: AnyObject, Sendable {
    /// `file`: the audio, which was uploaded with the same key.
    func transcript(of file: KeptAsset) async throws(UpstreamError) -> Transcript
}

/// What was said, as a vendor wrote it down.
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
}
