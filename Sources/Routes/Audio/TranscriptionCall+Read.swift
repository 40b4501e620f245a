package import Shared
package import Upstream

extension TranscriptionCall {
    /// Creates the call from the fields of a transcription or translation form. Throws if a field is invalid.
    /// - Parameter isWhole: whether all fields have arrived. Only then must `timestamp_granularities` fit the format.
    package init(_ purpose: Purpose, _ fields: FormFields, isWhole: Bool) throws(APIError) {
        guard let model = try fields.model() else { throw .missing("model") }
        let names = Format.allCases.filter { purpose == .transcription || $0 != .diarizedJSON }.map(\.rawValue)
        let format = try fields.choice("response_format", names).flatMap(Format.init) ?? .json
        let prompt = try fields.string("prompt", limitBytes: Self.promptLimitBytes)
        let temperature = try fields.number("temperature", 0...1)
        guard purpose == .transcription else {
            self.init(purpose, model: model, prompt: prompt, temperature: temperature, format: format)
            return
        }
        self.init(
            purpose,
            model: model,
            language: try Self.language(fields),
            prompt: prompt,
            temperature: temperature,
            format: format
        )
        isStreamed = try fields.flag("stream") ?? false
        try Self.checkTimes(fields, format, isWhole: isWhole)
        for field: StaticString in [
            "include", "languages", "keywords", "known_speaker_names", "known_speaker_references",
        ]
        where try fields.string(field) != nil {
            throw .unsupported("\(field)", "'\(field)' is not supported.")
        }
        if let strategy = try fields.string("chunking_strategy"), !strategy.isSame(as: "auto") {
            throw .unsupportedValue("chunking_strategy", "only auto is supported")
        }
    }

    private static let promptLimitBytes = 32_000
    private static let languageLimitBytes = 100

    private static func language(_ fields: FormFields) throws(APIError) -> String? {
        guard let tag = try fields.string("language", limitBytes: languageLimitBytes) else { return nil }
        let parts = tag.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let isTag =
            (1...4).contains(parts.count)
            && parts.enumerated().allSatisfy { index, part in
                (index == 0 ? 2...3 : 2...8).contains(part.count)
                    && part.allSatisfy { (97...122).contains($0 | 32) || index > 0 && (48...57).contains($0) }
            }
        guard isTag else { throw .value("language", "must be a language code such as en or en-US") }
        return tag
    }

    private static func checkTimes(_ fields: FormFields, _ format: Format, isWhole: Bool) throws(APIError) {
        let times = fields.strings("timestamp_granularities")
        guard times.allSatisfy({ $0.isSame(as: "segment") || $0.isSame(as: "word") }) else {
            throw .value("timestamp_granularities", "must be segment or word")
        }
        if times.contains("word") {
            throw .unsupportedValue("timestamp_granularities", "word timestamps are not supported; use segment")
        }
        guard times.isEmpty || format == .verboseJSON || !isWhole else {
            throw .value("timestamp_granularities", "is only allowed with the response_format verbose_json")
        }
    }
}
