import Engine
import Shared

/// The abilities of one Claude model. They are looked up by the model's name.
struct ClaudeModel: Sendable {
    enum Sampling: Sendable {
        case both
        /// The model accepts `temperature` or `top_p`, but not both.
        case one
        case none
    }

    enum Thinking: Sendable {
        case none
        case budget
        /// The model itself decides how much it thinks (adaptive thinking).
        /// - Parameters:
        ///   - off: the way to turn thinking off.
        ///   - budget: whether the model also accepts a thinking budget in tokens.
        case adaptive(off: Off, budget: Bool)
    }

    /// The way to turn the thinking of a model off.
    enum Off: Sendable {
        case disabled
        case betweenTools
        /// The model's thinking cannot be turned off.
        case none
    }

    /// The values of `effort` that the model accepts.
    enum Effort: Sendable {
        case none
        case high
        /// The model accepts all values of `effort` except `xhigh`.
        case max
        case all
    }

    /// The largest number of tokens that a response can have, including the reasoning.
    let maxTokens: Int
    let thinking: Thinking
    let sampling: Sampling
    let effort: Effort
    private let lacks: Lacking
    /// The length of the shortest prompt that the vendor caches, in tokens.
    private(set) var minCachedTokens = 1_024

    private init(_ maxTokens: Int, _ thinking: Thinking, sampling: Sampling, effort: Effort, lacks: Lacking) {
        self.maxTokens = maxTokens
        self.thinking = thinking
        self.sampling = sampling
        self.effort = effort
        self.lacks = lacks
    }

    /// Whether `tool_choice` can force a tool call.
    var supportsForcedToolChoice: Bool { !lacks.contains(.force) }
    /// Whether a request can end with the beginning of the model's response (prefill).
    var supportsPrefill: Bool { !lacks.contains(.prefill) }
    /// Whether the model supports structured outputs: a schema for the output, and strict tools.
    var supportsStructuredOutputs: Bool { !lacks.contains(.format) }
    /// Whether the model accepts turns of the role `system` in the middle of a conversation.
    var supportsSystemTurns: Bool { !lacks.contains(.systemTurns) }
    /// Whether the model is not Claude but another vendor's model with the Messages API.
    var isForeign: Bool { lacks.contains(.name) }

    private struct Lacking: OptionSet, Sendable {
        let rawValue: UInt8
        static let force = Lacking(rawValue: 1)
        static let prefill = Lacking(rawValue: 2)
        static let format = Lacking(rawValue: 4)
        static let name = Lacking(rawValue: 8)
        static let systemTurns = Lacking(rawValue: 16)
        /// The abilities that models before structured outputs lack.
        static let oldest: Lacking = [.format, .systemTurns]
    }

    // MARK: The table

    /// The known Claude models. The key is the beginning of the id after `claude-`, such as `opus-4`; the longest match
    /// wins.
    private static let rows: [(StaticString, ClaudeModel)] = [
        ("3-haiku", ClaudeModel(4_096, .none, sampling: .both, effort: .none, lacks: .oldest)),
        ("3-opus", ClaudeModel(4_096, .none, sampling: .both, effort: .none, lacks: .oldest)),
        ("3-sonnet", ClaudeModel(4_096, .none, sampling: .both, effort: .none, lacks: .oldest)),
        ("3-5", ClaudeModel(8_192, .none, sampling: .both, effort: .none, lacks: .oldest)),
        ("3-7", ClaudeModel(64_000, .budget, sampling: .both, effort: .none, lacks: .oldest)),
        ("opus-4", ClaudeModel(32_000, .budget, sampling: .one, effort: .none, lacks: .oldest)),
        ("opus-4-1", ClaudeModel(32_000, .budget, sampling: .one, effort: .none, lacks: .systemTurns)),
        ("sonnet-4", ClaudeModel(64_000, .budget, sampling: .one, effort: .none, lacks: .oldest)),
        ("haiku-4-5", ClaudeModel(64_000, .budget, sampling: .one, effort: .none, lacks: .systemTurns)),
        ("sonnet-4-5", ClaudeModel(64_000, .budget, sampling: .one, effort: .none, lacks: .systemTurns)),
        ("opus-4-5", ClaudeModel(64_000, .budget, sampling: .one, effort: .high, lacks: .systemTurns)),
        ("sonnet-4-6", older), ("opus-4-6", older),
        ("opus-4-7", adaptive(off: .disabled, lacks: .systemTurns)),
        ("opus-4-8", newer),
        ("sonnet-5", newer),
        ("opus-5", newer),
        ("haiku-5-5", newer),
        ("sonnet-5-5", adaptive(off: .betweenTools, lacks: .force)),
        ("opus-5-5", newest),
    ]

    private static let older = ClaudeModel(
        128_000,
        .adaptive(off: .disabled, budget: true),
        sampling: .one,
        effort: .max,
        lacks: [.prefill, .systemTurns]
    )
    private static let newer = adaptive(off: .disabled)
    /// The abilities of the newest Claude models, and of all Claude models that `rows` does not contain.
    private static let newest = adaptive(off: .none, lacks: .force)
    private static let foreign = ClaudeModel(8_192, .budget, sampling: .both, effort: .none, lacks: [.format, .name])

    /// Returns the abilities that all models since Opus 4.7 share, with the way to turn thinking off.
    private static func adaptive(off: Off, lacks lacking: Lacking = []) -> ClaudeModel {
        ClaudeModel(
            128_000,
            .adaptive(off: off, budget: false),
            sampling: .none,
            effort: .all,
            lacks: lacking.union(.prefill)
        )
    }

    /// The shortest prompts that the vendor caches, by the beginnings of the models' ids as in `rows`.
    private static let cachedLengths: [(StaticString, Int)] = [
        ("3-haiku", 2_048), ("3-5-haiku", 2_048), ("haiku-4-5", 4_096), ("opus-4-5", 4_096), ("opus-4-6", 4_096),
        ("opus-4-7", 2_048), ("opus-5", 512),
    ]

    private static func match<Value>(_ id: UnsafeRawBufferPointer, in rows: [(StaticString, Value)]) -> Value? {
        var longest: Int?
        for (index, row) in rows.enumerated() where id.hasPrefix(row.0) {
            if longest.map({ rows[$0].0.utf8CodeUnitCount < row.0.utf8CodeUnitCount }) ?? true { longest = index }
        }
        return longest.map { rows[$0].1 }
    }

    /// Returns whether a model is not Claude but another vendor's model with the Messages API.
    /// - Parameter name: the vendor's model id.
    static func isForeign(_ name: String) -> Bool {
        name.withBytes { bytes in
            !["claude-", "claude."].contains { (word: StaticString) in
                var scan = ByteScan(bytes)
                return scan.find(word)
            }
        }
    }

    /// Looks up the abilities of a model.
    /// - Parameter name: the vendor's model id. Text before `claude-` is ignored.
    init(_ name: String) {
        var bytes = Array(name.utf8)
        for index in bytes.indices where bytes[index] == UInt8(ascii: ".") { bytes[index] = UInt8(ascii: "-") }
        self = bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            guard scan.find("claude-") else { return Self.foreign }
            let rest = bytes[part: scan.offset..<bytes.count]
            var model = Self.match(rest, in: Self.rows) ?? Self.newest
            model.minCachedTokens = Self.match(rest, in: Self.cachedLengths) ?? model.minCachedTokens
            return model
        }
    }
}
