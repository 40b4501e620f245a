import Engine

/// A counter of tokens for one model. It estimates if the model's vocabulary is not available.
package struct TokenCounter: Sendable {
    let vocabulary: Vocabulary?

    package static let estimating = TokenCounter(vocabulary: nil)

    /// Returns the counter for a model, by the vendor's name of the model.
    package static func of(model: String) -> TokenCounter { TokenCounters.ofProcess.counters.counter(for: model) }

    package var isExact: Bool { vocabulary != nil }

    /// Returns the text of these token ids; nil if the vocabulary is not available or an id is no ordinary token.
    package func text(of tokens: [Int]) -> String? {
        vocabulary?.text(of: tokens).map { String(decoding: $0, as: UTF8.self) }
    }

    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        if let vocabulary { return vocabulary.count(text) }
        var estimate = TokenEstimate()
        estimate.add(text)
        return estimate.tokens
    }

    package func count(_ text: String) -> Int { text.withBytes { count($0) } }
}

/// The token counters for all models. Without a token file, all of them estimate.
package struct TokenCounters: Sendable {
    private let file: TokenFile?

    package init(_ file: TokenFile?) { self.file = file }

    /// Returns the counter for a model, by the vendor's name of the model.
    package func counter(for model: String) -> TokenCounter { counter(by: Vocabulary.Name(model: model)) }

    func counter(by name: Vocabulary.Name?) -> TokenCounter {
        guard let name else { return .estimating }
        return TokenCounter(vocabulary: name == .o200k ? file?.o200k : file?.cl100k)
    }

    /// The counters from the file `relay.tokens` of the program. `failure` is the reason why the file could not be
    /// opened, or nil.
    package static let ofProcess: (counters: TokenCounters, failure: String?) = {
        do throws(TokenFile.Failure) {
            return (TokenCounters(try TokenFile.ofBinary()), nil)
        } catch {
            return (TokenCounters(nil), error.reason)
        }
    }()
}
