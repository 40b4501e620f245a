import Engine
import Shared

/// Replaces names, such as those of tools, by unique names that a vendor accepts.
struct VendorNameMap: Sendable {
    private var sent: [[UInt8]: [UInt8]] = [:]
    private var originals: [[UInt8]: [UInt8]] = [:]
    private var isChanged = false
    /// The next number to append to a name that is already used, such as 2 in `search_2`. The keys are these names,
    /// shortened if they are long.
    private var numbers: [[UInt8]: Int] = [:]

    private let marks: StaticString
    private let beginsWithLetter: Bool

    private static let maxBytes = 128

    /// Creates a map without names.
    /// - Parameters:
    ///   - marks: the allowed characters besides letters and digits.
    ///   - beginsWithLetter: whether names must begin with a letter or `_`.
    init(marks: StaticString = "_-", beginsWithLetter: Bool = false) {
        self.marks = marks
        self.beginsWithLetter = beginsWithLetter
    }

    /// Returns the name to send to the vendor, always the same for one original.
    mutating func name(_ original: String) -> [UInt8] {
        let bytes = Array(original.utf8)
        if let known = sent[bytes] { return known }
        let new = fresh(bytes)
        sent[bytes] = new
        originals[new] = bytes
        if new != bytes { isChanged = true }
        return new
    }

    /// Returns a unique name to send to the vendor. Each call returns a new name, even for the same original.
    mutating func once(_ original: [UInt8]) -> [UInt8] {
        let new = fresh(original)
        originals[new] = original
        return new
    }

    /// Returns the original of a name; nil if the name is unknown or no name was changed.
    func original(of name: UnsafeRawBufferPointer) -> [UInt8]? { isChanged ? originals[Array(name)] : nil }

    private mutating func fresh(_ original: [UInt8]) -> [UInt8] {
        let fitting = ShortName.bytes(of: original, limitBytes: Self.maxBytes)
        var name = fitting.map { isPlain($0) ? $0 : UInt8(ascii: "_") }
        let isBegun = name.first.map { !beginsWithLetter || $0 >= UInt8(ascii: "A") } ?? false
        if !isBegun { name = [UInt8(ascii: "_")] + name.prefix(Self.maxBytes - 1) }
        guard originals[name] != nil else { return name }
        let stem = Array(name.prefix(Self.maxBytes - 12))
        var number = numbers[stem] ?? 2
        while originals[stem + Array("_\(number)".utf8)] != nil { number += 1 }
        numbers[stem] = number + 1
        return stem + Array("_\(number)".utf8)
    }

    private func isPlain(_ byte: UInt8) -> Bool { byte.isLetterOrDigit(or: marks) }
}

/// A name that fits into a limit, made from the whole name alone, so that it is the same in each request.
enum ShortName {
    private static let digits = 16

    /// Returns the name itself if it fits; otherwise its beginning and digits of its digest.
    static func bytes(of name: [UInt8], limitBytes: Int) -> [UInt8] {
        guard name.count > limitBytes else { return name }
        var hex = ByteBuffer()
        hex.append(hexDigestOf: String(decoding: name, as: UTF8.self), maxBytes: digits / 2)
        return name.prefix(limitBytes - digits - 1) + [UInt8(ascii: "_")] + hex.bytes
    }
}
