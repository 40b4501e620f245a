import Engine
import Shared

/// The usage of one message of the Messages API. If the vendor reports a count several times, the last one that is not zero
/// holds: some servers begin a stream with an estimate of the whole prompt, and end it with its parts, cached and not. Of
/// the completion tokens, whose counts are cumulative, the largest holds.
struct MessageUsage {
    /// The requested model, by the vendor's id.
    let model: String
    private var tokens = TokenCounts()
    private var reasoningBlock = 0
    private var toolUses = ToolUses()
    /// The uses of hosted tools in the content blocks. They count until the vendor has reported some.
    private var seenUses = ToolUses()
    private var serviceTier: ServiceTier?
    /// The model that the response names, if it is another one; nil for the requested one.
    private var writer: String?
    /// The calls of models of which the response consists; empty if the vendor reported none.
    private var iterations: [Iteration] = []

    /// The counts of tokens in a usage, or in one of its iterations.
    private struct TokenCounts {
        var input: Int?
        var output: Int?
        private var read = 0
        private var written = 0
        private var writtenShort = 0
        private var writtenLong = 0

        mutating func read(_ reported: JSONValue) {
            output.raise(to: reported["output_tokens"]?.reportedTokens)
            if let tokens = reported["input_tokens"]?.reportedTokens { input = tokens > 0 ? tokens : input ?? 0 }
            Self.replace(&read, by: reported["cache_read_input_tokens"])
            Self.replace(&written, by: reported["cache_creation_input_tokens"])
            guard let parts = reported["cache_creation"] else { return }
            Self.replace(&writtenShort, by: parts["ephemeral_5m_input_tokens"])
            Self.replace(&writtenLong, by: parts["ephemeral_1h_input_tokens"])
        }

        private static func replace(_ count: inout Int, by reported: JSONValue?) {
            if let tokens = reported?.tokens, tokens > 0 { count = tokens }
        }

        var isPlausible: Bool { max(input ?? 0, output ?? 0) <= 1 << 40 }

        var usage: Usage {
            // Some servers report only the parts.
            let written = max(written, writtenShort + writtenLong)
            var usage = Usage(promptTokens: (input ?? 0) + written + read, completionTokens: output ?? 0)
            usage.cachedTokens = read
            usage.cacheWriteTokens = written
            usage.longCacheWriteTokens = writtenLong
            return usage
        }
    }

    private struct Iteration {
        /// Whether the model that wrote the response wrote a part of the message; false for a compaction, for example.
        let isOfWriter: Bool
        /// The vendor's id of the model; nil for the one that wrote the response.
        let model: String?
        let usage: Usage
    }

    /// The largest number of iterations that count.
    private static let maxIterations = 256

    init(of model: String) { self.model = model }

    /// Reads the model that the response names.
    mutating func read(model reported: JSONValue?) {
        guard let name = reported?.text, !name.isEmpty, name.count <= Model.nameLimitBytes,
            !model.withBytes({ name.equals($0) })
        else { return }
        writer = name.text
    }

    mutating func read(_ reported: JSONValue?) {
        guard let reported, reported.kind == .object else { return }
        tokens.read(reported)
        if let uses = reported["server_tool_use"] { toolUses.raise(to: uses) }
        // The price of a fast response is its own at each tier.
        if reported["speed"]?.text?.equals("fast") ?? false {
            serviceTier = .fast
        } else if serviceTier != .fast, let tier = reported["service_tier"]?.text {
            serviceTier = ServiceTier(word: tier)
        }
        reasoningBlock = max(reasoningBlock, reported["output_tokens_details"]?["thinking_tokens"]?.tokens ?? 0)
        if let all = reported["iterations"]?.elements { read(iterations: all) }
    }

    /// Counts the use of a hosted tool that a content block begins. The error of a use takes it back, because a use that
    /// failed has no fee.
    mutating func countUse(in block: JSONValue) {
        guard let type = block["type"]?.text else { return }
        if type.equals("server_tool_use") {
            if let tool = block["name"]?.string.flatMap({ HostedTool(name: $0) }) { seenUses[tool] += 1 }
        } else if !seenUses.isEmpty, block["content"]?["error_code"] != nil,
            let tool = HostedTool(name: type.text.replacing("_tool_result", with: ""))
        {
            seenUses[tool] -= 1
        }
    }

    private mutating func read(iterations all: JSONElements) {
        let read = all.prefix(Self.maxIterations).compactMap { value -> Iteration? in
            guard value.kind == .object else { return nil }
            var tokens = TokenCounts()
            tokens.read(value)
            guard tokens.isPlausible else { return nil }
            let isOfMessage = value["type"]?.text.map { $0.equals("message") || $0.equals("fallback_message") } ?? true
            let named = value["model"]?.text.flatMap { $0.count <= Model.nameLimitBytes ? $0.text : nil }
            let model = named.flatMap { $0.hasSameBytes(as: writer ?? self.model) ? nil : $0 }
            return Iteration(isOfWriter: isOfMessage && model == nil, model: model, usage: tokens.usage)
        }
        if read.count >= iterations.count { iterations = read }
    }

    var usage: Usage? {
        guard tokens.input != nil && tokens.output != nil || !seenUses.isEmpty else { return nil }
        let (last, others) = split(tokens.usage)
        var usage = others.reduce(last) { $0 + $1.usage }
        usage.toolUses = toolUses.isEmpty ? seenUses : toolUses
        usage.serviceTier = serviceTier
        usage.reasoningTokens = min(usage.completionTokens, reasoningBlock)
        return usage
    }

    /// The models that worked on the message, if it was not the requested one alone; nil if it was, or without a usage.
    var models: ModelUsages? {
        guard writer != nil || !iterations.isEmpty, tokens.input != nil, tokens.output != nil else { return nil }
        let others = split(tokens.usage).others
        guard writer != nil || !others.isEmpty else { return nil }
        let parts = others.map { other in
            var usage = other.usage
            usage.serviceTier = serviceTier
            return ModelUsages.Part(model: other.model, usage: usage)
        }
        return ModelUsages(writer: writer, others: parts)
    }

    /// Splits what the vendor reported into the last call of the model that wrote the message, and all other calls.
    /// - Parameter reported: the usage apart from its iterations.
    private func split(_ reported: Usage) -> (last: Usage, others: [Iteration]) {
        let own = iterations.filter(\.isOfWriter)
        let others = iterations.filter { !$0.isOfWriter }
        let written = own.reduce(Usage.nothing) { $0 + $1.usage }
        let all = others.reduce(written) { $0 + $1.usage }
        // The totals are those of the message, at least of its last iteration; or, should that change, of all calls.
        let isInIterations = reported.totalTokens <= written.totalTokens || reported.totalTokens == all.totalTokens
        guard isInIterations, let last = own.last else { return (reported, others) }
        return (last.usage, others + own.dropLast())
    }
}
