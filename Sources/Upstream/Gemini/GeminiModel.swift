import Engine
import Shared

/// The abilities of one Google model. They are derived from the model's name.
struct GeminiModel: Sendable {
    /// The model's version as a number, such as 205 for Gemini 2.5; `Int.max` without a version.
    private let version: Int
    private let isPro: Bool
    private let isLite: Bool
    private let isGemma: Bool

    private static let newest = Int.max

    init(_ name: String) {
        let bytes = Array(name.utf8.prefix(200)).map { (65...90).contains($0) ? $0 | 32 : $0 }
        let last = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        let word = Array(bytes[last...])
        isGemma = word.starts(with: "gemma".utf8)
        (isPro, isLite) = word.withUnsafeBytes { word in
            var (pro, lite) = (ByteScan(word), ByteScan(word))
            return (pro.find("-pro"), lite.find("-lite"))
        }
        version = Self.version(word)
    }

    /// Returns the version in a model's name, such as 205 for `gemini-2.5-pro`; `newest` without a version.
    private static func version(_ word: [UInt8]) -> Int {
        guard let dash = word.firstIndex(of: UInt8(ascii: "-")) else { return newest }
        var numbers: [Int] = [0, 0]
        var index = 0
        var hasNumber = false
        for byte in word[(dash + 1)...] {
            if (48...57).contains(byte) {
                hasNumber = true
                numbers[index] = min(99, numbers[index] * 10 + Int(byte) - 48)
            } else if byte == UInt8(ascii: "."), index == 0, hasNumber {
                index = 1
            } else {
                break
            }
        }
        return hasNumber ? numbers[0] * 100 + numbers[1] : newest
    }

    /// Whether the model lacks tools, output formats and system instructions.
    var isBare: Bool { isGemma && version < 400 }
    /// Whether the model refuses a conversation with tool calls that lack their thought signatures.
    var wantsSignatures: Bool { !isGemma && version >= 300 }
    var supportsToolsWithFormat: Bool { !isGemma && version >= 300 }

    // MARK: Reasoning

    enum Thinking {
        case none
        case level(StaticString)
        case budget(Int)
    }

    /// Returns the thinking setting for the client's reasoning options; `.none` to use the model's default.
    func thinking(_ reasoning: ChatOptions.Reasoning) -> Thinking {
        if isGemma || version < 205 { return .none }
        if version < 300 { return budget(reasoning).map { .budget($0) } ?? .none }
        switch Effort(reasoning.plainEffort) {
        case nil: return .none
        case .off, .minimal: return .level(isPro || version >= 307 ? "low" : "minimal")
        case .low: return .level("low")
        case .medium: return .level("medium")
        case .high: return .level("high")
        }
    }

    private func budget(_ reasoning: ChatOptions.Reasoning) -> Int? {
        let most = isPro ? 32_768 : 24_576
        let least = isPro ? 128 : isLite ? 512 : 1
        let effort = Effort(reasoning.plainEffort)
        if effort == .off { return isPro ? 128 : 0 }
        if let tokens = reasoning.budgetTokens { return min(most, max(least, tokens)) }
        switch effort {
        case nil, .off: return nil
        case .minimal, .low: return 1_024
        case .medium: return 8_192
        case .high: return most
        }
    }

    private enum Effort {
        case off
        case minimal
        case low
        case medium
        case high

        /// Creates an effort from its name; nil if the name is missing or unknown.
        init?(_ word: String?) {
            guard let word, word.utf8.count <= 16 else { return nil }
            let bytes = Array(word.utf8)
            let known: Effort? = bytes.withUnsafeBytes { word in
                switch word {
                case "none": .off
                case "minimal": .minimal
                case "low": .low
                case "medium": .medium
                case "high", "xhigh", "max": .high
                default: nil
                }
            }
            guard let known else { return nil }
            self = known
        }
    }
}
