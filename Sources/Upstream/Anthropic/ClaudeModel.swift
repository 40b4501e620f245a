import Engine
import Shared

/// The abilities of one of Anthropic's models, by its name, and those that its vendor was found to lack.
struct ClaudeModel: Sendable {
    enum Sampling: Sendable {
        case both
        /// Temperature or `top_p`.
        case one
        case none
    }

    enum Thinking: Sendable {
        case none
        case budget
        /// `budget`: an older form that is still taken.
        case adaptive(off: Off, budget: Bool)
    }

    /// The way to ask for no thoughts.
    enum Off: Sendable {
        case disabled
        case betweenTools
        /// They are always on.
        case none
    }

    /// The highest of the efforts.
    enum Effort: Sendable {
        case none
        case high
        /// Without `xhigh`.
        case max
        case all
    }

    /// Of an answer, thoughts included.
    let maxTokens: Int
    let thinking: Thinking
    let sampling: Sampling
    let effort: Effort
    /// A tool can be demanded.
    let takesForce: Bool
    /// The beginning of an answer can be given.
    let takesPrefill: Bool
    /// The schema of an answer can be given.
    let takesFormat: Bool
    /// Another vendor's, behind the same wire.
    let isForeign: Bool

    private init(
        _ maxTokens: Int,
        _ thinking: Thinking,
        _ sampling: Sampling,
        _ effort: Effort,
        lacks lacking: Lacking = []
    ) {
        self.maxTokens = maxTokens
        self.thinking = thinking
        self.sampling = sampling
        self.effort = effort
        takesForce = !lacking.contains(.force)
        takesPrefill = !lacking.contains(.prefill)
        takesFormat = !lacking.contains(.format)
        isForeign = lacking.contains(.name)
    }

    private struct Lacking: OptionSet, Sendable {
        let rawValue: UInt8
        static let force = Lacking(rawValue: 1)
        static let prefill = Lacking(rawValue: 2)
        static let format = Lacking(rawValue: 4)
        static let name = Lacking(rawValue: 8)
    }

    // MARK: The table

    /// By what follows `claude-`; the longest that fits counts.
    private static let rows: [(StaticString, ClaudeModel)] = [
        ("3-haiku", ClaudeModel(4_096, .none, .both, .none, lacks: .format)),
        ("3-opus", ClaudeModel(4_096, .none, .both, .none, lacks: .format)),
        ("3-sonnet", ClaudeModel(4_096, .none, .both, .none, lacks: .format)),
        ("3-5", ClaudeModel(8_192, .none, .both, .none, lacks: .format)),
        ("3-7", ClaudeModel(64_000, .budget, .both, .none, lacks: .format)),
        ("opus-4", ClaudeModel(32_000, .budget, .one, .none, lacks: .format)),
        ("opus-4-1", ClaudeModel(32_000, .budget, .one, .none)),
        ("sonnet-4", ClaudeModel(64_000, .budget, .one, .none, lacks: .format)),
        ("haiku-4-5", ClaudeModel(64_000, .budget, .one, .none)),
        ("sonnet-4-5", ClaudeModel(64_000, .budget, .one, .none)),
        ("opus-4-5", ClaudeModel(64_000, .budget, .one, .high)),
        ("sonnet-4-6", older),
        ("opus-4-6", older),
        ("opus-4-7", newer),
        ("opus-4-8", newer),
        ("sonnet-5", newer),
        ("opus-5", newer),
        ("haiku-5-5", newer),
        (
            "sonnet-5-5",
            ClaudeModel(128_000, .adaptive(off: .betweenTools, budget: false), .none, .all, lacks: [.force, .prefill])
        ),
        ("opus-5-5", newest),
    ]

    private static let older = ClaudeModel(
        128_000,
        .adaptive(off: .disabled, budget: true),
        .one,
        .max,
        lacks: .prefill
    )
    private static let newer = ClaudeModel(
        128_000,
        .adaptive(off: .disabled, budget: false),
        .none,
        .all,
        lacks: .prefill
    )
    /// And all that come after it.
    private static let newest = ClaudeModel(
        128_000,
        .adaptive(off: .none, budget: false),
        .none,
        .all,
        lacks: [.force, .prefill]
    )
    private static let foreign = ClaudeModel(8_192, .budget, .both, .none, lacks: [.format, .name])

    /// - Parameter name: as the vendor knows it, perhaps with a vendor's name before `claude-` and a date behind.
    init(_ name: String) {
        var bytes = Array(name.utf8)
        for place in bytes.indices where bytes[place] == UInt8(ascii: ".") { bytes[place] = UInt8(ascii: "-") }
        self = bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            guard scan.find("claude-") else { return Self.foreign }
            let rest = bytes[part: scan.place..<bytes.count]
            let found = Self.rows.filter { rest.hasPrefix($0.0) }
            return found.max { $0.0.utf8CodeUnitCount < $1.0.utf8CodeUnitCount }?.1 ?? Self.newest
        }
    }
}
