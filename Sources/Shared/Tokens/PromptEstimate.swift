import CTokens
import Engine

/// A fast estimate of the tokens in a prompt, for limits.
///
/// The estimate depends on how a text is divided into `add` calls.
package struct PromptEstimate: Sendable {
    private var parts: UInt64 = 0

    /// The largest measured ratio of the true count to the estimate, in halves: 3 stands for 3/2.
    package static let factorHalves = 3

    package init() {}

    /// The estimated number of tokens in all added texts, rounded up.
    package var tokens: Int { Int(clamping: (parts &+ 15) / 16) }

    /// Adds a text to the estimate. The text counts as the beginning of a new word.
    package mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress else { return }
        parts &+= relay_tokens_estimate(start, text.count)
    }

    package mutating func add(_ text: String) { text.withBytes { add($0) } }
}
