import Engine
import Shared

extension MemberScanner {
    /// Returns the usage in the scanned JSON object, with that of a model that wrote an SVG, else the seconds of the
    /// recording; nil if the object contains none of them.
    func usage(_ parser: JSONParser) -> Usage? {
        guard let svg = models(parser)?.others.first else { return ownUsage(parser) }
        return (ownUsage(parser) ?? .nothing) + svg.usage
    }

    /// Returns the usage of the model that wrote an SVG, which is not the one that made the image; nil if there is none.
    func models(_ parser: JSONParser) -> ModelUsages? {
        guard !svgUsage.isEmpty, let reported = try? parser.parse(svgUsage.bytes),
            let usage = Usage(ofForwarded: reported).flatMap({ UsageBounds().checked($0) })
        else { return nil }
        let model = reported["model"]?.string ?? "svg"
        return ModelUsages(writer: nil, others: [ModelUsages.Part(model: model, usage: usage)])
    }

    private func ownUsage(_ parser: JSONParser) -> Usage? {
        // Groq writes a number, OpenAI's Whisper a text.
        let seconds = Double((RawJSON(duration.bytes).content ?? duration.bytes).text)
        let recording = seconds.flatMap(Usage.init(seconds:))
        let reported = usage.isEmpty ? nil : try? parser.parse(usage.bytes)
        guard var usage = reported.flatMap(Usage.init(ofForwarded:)) else { return recording }
        if let recording { usage.addPieces(recording) }
        return UsageBounds().checked(usage)
    }

    /// Returns a JSON object with the scanned member `error`; nil if there is none.
    func failure() -> ByteBuffer? {
        guard !error.isEmpty else { return nil }
        var reported = ByteBuffer()
        reported.append(#"{"error":"#, error.bytes, "}")
        return reported
    }
}

extension Usage {
    /// Creates the usage of a recording; nil if its length is not plausible.
    fileprivate init?(seconds: Double) {
        guard (0...1_000_000).contains(seconds) else { return nil }
        self.init(pieces: Int(seconds.rounded(.up)), .second)
    }

    /// Creates a usage from a forwarded `usage` object; nil if the object contains no token counts.
    fileprivate init?(ofForwarded reported: JSONValue) {
        let completion = reported["completion_tokens"]?.reportedTokens ?? reported["output_tokens"]?.reportedTokens ?? 0
        // Some servers report the sum only.
        let rest = reported["total_tokens"]?.reportedTokens.map { max(0, $0 - completion) }
        // Mistral counts the recording beside the tokens, others in place of them; OpenAI rounds to whole seconds.
        let recording = (reported["prompt_audio_seconds"] ?? reported["seconds"])?.number.flatMap(Usage.init(seconds:))
        guard let prompt = reported["prompt_tokens"]?.reportedTokens ?? reported["input_tokens"]?.reportedTokens ?? rest
        else {
            guard let recording else { return nil }
            self = recording
            return
        }
        self.init(promptTokens: prompt, completionTokens: completion)
        // Transcriptions have `input_token_details`.
        let details =
            reported["prompt_tokens_details"] ?? reported["input_tokens_details"] ?? reported["input_token_details"]
        recordPrompt(
            cached: details?["cached_tokens"]?.tokens ?? 0,
            written: details?["cache_write_tokens"]?.tokens ?? 0
        )
        let others = reported["completion_tokens_details"] ?? reported["output_tokens_details"]
        reasoningTokens = min(completion, others?["reasoning_tokens"]?.tokens ?? 0)
        readAudio(prompt: details, completion: others)
        readCost(reported)
        if let recording { addPieces(recording) }
    }
}
