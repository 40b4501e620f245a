import Engine

/// A collector for the argument chunks of one tool call.
///
/// Chunks are held back while the arguments could still be `null`, or an object that the vendor puts before the actual
/// arguments, such as `{}{"city":"Paris"}`. A JSON string is held back as a whole: it can contain the object.
package struct CallArguments: Sendable {
    private var held: [UInt8] = []
    private var isOther = false

    /// Whether any object can precede the actual arguments; if false, only `{}`.
    private let beginsWithObject: Bool
    /// Whether the arguments are a text of any form, as those of custom tools are.
    var isAnyText = false

    package init(beginsWithObject: Bool = false) { self.beginsWithObject = beginsWithObject }

    private static let byteOrderMark = Array("\u{feff}".utf8)
    private static let null = Array("null".utf8)
    private static let stringLimitBytes = 8_388_608

    /// Appends a chunk of the arguments. Returns the bytes that can be sent to the client now.
    package mutating func append(_ piece: [UInt8]) -> [UInt8] {
        if isOther || piece.isEmpty { return piece }
        if held.isEmpty, !isAnyText, piece.starts(with: Self.byteOrderMark) { return append(Array(piece.dropFirst(3))) }
        if held.first == UInt8(ascii: "{"), piece.first == held.first { held = piece } else { held += piece }
        guard !Self.null.starts(with: held), !isReplaceable, !isString else { return [] }
        isOther = true
        defer { held = [] }
        return held
    }

    private var isString: Bool {
        !isAnyText && held.first == UInt8(ascii: "\"") && held.count <= Self.stringLimitBytes
    }

    private var isReplaceable: Bool {
        (beginsWithObject || held.count == 2) && held.first == UInt8(ascii: "{") && held.last == UInt8(ascii: "}")
    }

    /// Removes and returns the object that is held back, because no other arguments follow; nil if there is none.
    mutating func removeObject() -> [UInt8]? {
        guard holdsObject else { return nil }
        isOther = true
        defer { held = [] }
        return held
    }

    /// Whether an object is held back.
    var holdsObject: Bool { !isOther && isReplaceable }

    /// The argument bytes still held back at the end of the tool call; empty if they are `null`.
    package var rest: [UInt8] { held == Self.null ? [] : isString ? Self.object(in: held) ?? held : held }

    /// Returns the object in a JSON string, as some servers encode arguments twice; nil if there is none.
    package static func object(in arguments: some Collection<UInt8>) -> [UInt8]? {
        guard arguments.first == UInt8(ascii: "\"") else { return nil }
        var text = ByteBuffer()
        arguments.withContiguousStorageIfAvailable { text.append(UnsafeRawBufferPointer($0)) }
        guard let object = JSONParser.read(text.bytes, { $0.text.map { Array($0) } }) ?? nil else { return nil }
        text.removeAll()
        object.withUnsafeBytes { text.append($0) }
        return JSONParser.read(text.bytes, \.kind) == .object ? object : nil
    }
}
