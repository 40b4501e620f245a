import CTokens
import Engine

/// A cheap estimate of a prompt's tokens, for limits and bounds, from the kinds of its bytes and the beginnings of its
/// words.
///
/// Counting with a vocabulary takes twenty times as long. Unlike `TokenEstimate`, this estimate depends on where a text
/// is cut.
package struct PromptEstimate: Sendable {
    private var parts: UInt64 = 0

    /// The error bound of the estimate: the true count is at most this many halves of the estimate. It was measured
    /// with code, JSON, Chinese, and prose in Western European languages.
    package static let factorHalves = 3

    package init() {}

    /// The estimated tokens of all added texts, rounded up.
    package var tokens: Int { Int(clamping: (parts &+ 15) / 16) }

    /// Adds a separate text: a word does not continue from the text before.
    package mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress else { return }
        parts &+= relay_tokens_estimate(start, text.count)
    }

    package mutating func add(_ text: String) {
        text.withBytes { add($0) }
    }
}
