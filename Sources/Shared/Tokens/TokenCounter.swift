import Engine

/// Counts tokens as one model does: exactly where its vocabulary is at hand, or else by `TokenEstimate`.
package struct TokenCounter: Sendable {
    let vocabulary: Vocabulary?

    package static let estimating = TokenCounter(vocabulary: nil)

    /// Of this process, by the vendor's name of the model.
    package static func of(model: String) -> TokenCounter { TokenCounters.ofProcess.counters.counter(for: model) }

    package var isExact: Bool { vocabulary != nil }

    /// The text of tokens; nil: they are not known, or not of ordinary text.
    package func text(of tokens: [Int]) -> String? {
        vocabulary?.text(of: tokens).map { String(decoding: $0, as: UTF8.self) }
    }

    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        if let vocabulary { return vocabulary.count(text) }
        var estimate = TokenEstimate()
        estimate.add(text)
        return estimate.tokens
    }

    package func count(_ text: String) -> Int {
        text.withBytes { count($0) }
    }
}

/// The counters of all models. Without a token file each is an estimate.
package struct TokenCounters: Sendable {
    private let file: TokenFile?

    package init(_ file: TokenFile?) { self.file = file }

    /// `model`: as its vendor calls it.
    package func counter(for model: String) -> TokenCounter { counter(by: Vocabulary.Name(model: model)) }

    func counter(by name: Vocabulary.Name?) -> TokenCounter {
        guard let name else { return .estimating }
        return TokenCounter(vocabulary: name == .o200k ? file?.o200k : file?.cl100k)
    }
}

extension TokenCounters {
    /// Those of the file beside the binary, which is looked for once; if it is missing or broken, why.
    package static let ofProcess: (counters: TokenCounters, failure: String?) = {
        do throws(TokenFile.Failure) {
            return (TokenCounters(try TokenFile.besideBinary()), nil)
        } catch {
            return (TokenCounters(nil), error.reason)
        }
    }()
}
