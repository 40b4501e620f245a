import Engine

/// Counts tokens for one model: exactly if its vocabulary is available, otherwise by `TokenEstimate`.
package struct TokenCounter: Sendable {
    let vocabulary: Vocabulary?

    package static let estimating = TokenCounter(vocabulary: nil)

    /// Returns the counter of this process for a model, by the vendor's name.
    package static func of(model: String) -> TokenCounter { TokenCounters.ofProcess.counters.counter(for: model) }

    package var isExact: Bool { vocabulary != nil }

    /// Returns the text of tokens; nil if there is no vocabulary or a token is not ordinary text.
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

/// The counters of all models. Without a token file, all of them estimate.
package struct TokenCounters: Sendable {
    private let file: TokenFile?

    package init(_ file: TokenFile?) { self.file = file }

    /// Returns the counter of a model, by the vendor's name.
    package func counter(for model: String) -> TokenCounter { counter(by: Vocabulary.Name(model: model)) }

    func counter(by name: Vocabulary.Name?) -> TokenCounter {
        guard let name else { return .estimating }
        return TokenCounter(vocabulary: name == .o200k ? file?.o200k : file?.cl100k)
    }
}

extension TokenCounters {
    /// The counters of the token file next to the binary, which is opened once, and the reason if that failed.
    package static let ofProcess: (counters: TokenCounters, failure: String?) = {
        do throws(TokenFile.Failure) {
            return (TokenCounters(try TokenFile.besideBinary()), nil)
        } catch {
            return (TokenCounters(nil), error.reason)
        }
    }()
}
