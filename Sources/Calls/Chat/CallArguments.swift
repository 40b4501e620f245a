/// A collector for the argument chunks of one tool call. Chunks are held back while the arguments could still be
/// `null`.
package struct CallArguments: Sendable {
    private var held: [UInt8] = []
    private var isOther = false

    package init() {}

    private static let null = Array("null".utf8)

    /// Appends a chunk of the arguments. Returns the bytes that can be sent to the client now.
    package mutating func append(_ piece: [UInt8]) -> [UInt8] {
        if isOther || piece.isEmpty { return piece }
        held += piece
        guard !Self.null.starts(with: held) else { return [] }
        isOther = true
        defer { held = [] }
        return held
    }

    /// The argument bytes still held back at the end of the tool call; empty if they are `null`.
    package var rest: [UInt8] { held == Self.null ? [] : held }
}
