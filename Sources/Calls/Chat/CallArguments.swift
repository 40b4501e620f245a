/// A collector for the argument chunks of one tool call. Some models send `null` for a tool call without arguments. The
/// collector holds chunks back while the arguments could still be `null`.
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

    /// The argument bytes that are still held back when the tool call ends; empty if these bytes are `null`.
    package var rest: [UInt8] { held == Self.null ? [] : held }
}
