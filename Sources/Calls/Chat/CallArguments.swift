/// The arguments of a call as they come. Some models write `null` for none: what may become that is held back.
package struct CallArguments: Sendable {
    private var held: [UInt8] = []
    private var isOther = false

    package init() {}

    private static let null = Array("null".utf8)

    /// Returns all that is to be told now.
    package mutating func take(_ piece: [UInt8]) -> [UInt8] {
        if isOther || piece.isEmpty { return piece }
        held += piece
        guard !Self.null.starts(with: held) else { return [] }
        isOther = true
        defer { held = [] }
        return held
    }

    /// To be told at the end.
    package var rest: [UInt8] { held == Self.null ? [] : held }
}
