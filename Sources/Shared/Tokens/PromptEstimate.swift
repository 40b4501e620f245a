import CTokens
import Engine

/// A cheap estimate of the tokens of a prompt, for limits and bounds: by the kinds of its bytes and the beginnings of its words.
///
/// Counting by a vocabulary takes twenty times as long. `TokenEstimate` does not depend on how a text is cut, which this does.
package struct PromptEstimate: Sendable {
    private var parts: UInt64 = 0

    /// The true count is at most so many halves of the estimate, for code, JSON, Chinese, and prose in the languages of Western
    /// Europe: an estimate is never short by more than a third.
    package static let factorHalves = 3

    package init() {}

    /// The estimated tokens of all texts that were added, rounded up.
    package var tokens: Int { Int(clamping: (parts &+ 15) / 16) }

    /// Adds a text of its own: no word goes on from the text before.
    package mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress else { return }
        parts &+= relay_tokens_estimate(start, text.count)
    }

    package mutating func add(_ text: String) {
        text.withBytes { add($0) }
    }
}
