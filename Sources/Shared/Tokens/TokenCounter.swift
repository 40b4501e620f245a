import Engine

/// Counts tokens as one model does: exactly where its vocabulary is at hand, or else by `TokenEstimate`.
package struct TokenCounter: Sendable {
    fileprivate let vocabulary: Vocabulary?

    package static let estimating = TokenCounter(vocabulary: nil)

    /// Of this process, by the vendor's name of the model.
    package static func of(model: String) -> TokenCounter { TokenCounters.ofProcess.counters.counter(for: model) }

    package var isExact: Bool { vocabulary != nil }

    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        if let vocabulary { return vocabulary.count(text) }
        var estimate = TokenEstimate()
        estimate.add(text)
        return estimate.tokens
    }

    package func count(_ text: String) -> Int {
        var text = text
        return text.withUTF8 { count(UnsafeRawBufferPointer($0)) }
    }
}

/// The counters of all models. Without a token file each is an estimate.
package struct TokenCounters: Sendable {
    private let file: TokenFile?

    package init(_ file: TokenFile?) { self.file = file }

    /// `model`: as its vendor calls it.
    package func counter(for model: String) -> TokenCounter {
        guard let file, let name = Vocabulary.Name(model: model) else { return .estimating }
        return TokenCounter(vocabulary: name == .o200k ? file.o200k : file.cl100k)
    }
}

/// The tokens of a text that comes in pieces; the same however it is cut. A text without a place to cut at for 64 KB (a
/// single word of that length) is cut all the same, and may count some tokens more.
package struct TokenTally: ~Copyable {
    private let counter: TokenCounter
    private var estimate = TokenEstimate()
    private var counted = 0
    /// The end of the text, whose count may still change with the next bytes.
    private var held = ByteBuffer()
    /// From here on a cut is looked for; doubled where none is found, so that nothing is read often.
    private var fullBytes = stepBytes

    private static let stepBytes = 4_096
    private static let mostBytes = 65_536

    package init(_ counter: TokenCounter) { self.counter = counter }

    package mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard let vocabulary = counter.vocabulary else { return estimate.add(piece) }
        var rest = piece
        while held.count + rest.count >= fullBytes {
            let fitting = max(0, fullBytes - held.count)
            held.append(rest[part: 0..<fitting])
            rest = rest[part: fitting..<rest.count]
            count(vocabulary)
        }
        held.append(rest)
    }

    private mutating func count(_ vocabulary: Vocabulary) {
        var cut = vocabulary.lastCut(held.bytes)
        if cut == 0, fullBytes >= Self.mostBytes { cut = vocabulary.lastCharacter(held.bytes) }
        guard cut > 0 else {
            fullBytes = min(2 * fullBytes, Self.mostBytes)
            return
        }
        counted += vocabulary.count(held.bytes[part: 0..<cut])
        held.removeFirst(cut)
        fullBytes = max(Self.stepBytes, min(2 * held.count, Self.mostBytes))
    }

    /// Of all that was added.
    package var tokens: Int {
        guard let vocabulary = counter.vocabulary else { return estimate.tokens }
        return counted + vocabulary.count(held.bytes)
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
