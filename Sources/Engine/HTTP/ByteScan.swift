/// A scanner that reads the bytes of a text from front to back, in linear time.
package struct ByteScan {
    package let bytes: UnsafeRawBufferPointer
    package private(set) var offset = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package var isAtEnd: Bool { offset == bytes.count }

    /// Skips white space and the next word. Returns the range of the word, empty at the text's end.
    package mutating func word() -> Range<Int> {
        let before = offset
        while offset < bytes.count, case let length = Self.spaceLength(bytes, offset), length > 0 {
            offset += length
        }
        let start = offset
        while offset < bytes.count, Self.spaceLength(bytes, offset) == 0 { offset += 1 }
        StepCount.add(offset - before + 1)
        return start..<offset
    }

    /// Moves past the next occurrence of `text`. Returns false, and moves to the end, if there is none.
    package mutating func find(_ text: StaticString) -> Bool {
        let before = offset
        while let distance = bytes[part: offset..<bytes.count].first(text.utf8Start[0]) {
            let start = offset + distance
            offset = start + 1
            if bytes[part: start..<bytes.count].hasPrefix(text) {
                offset = start + text.utf8CodeUnitCount
                StepCount.add(2 * (offset - before))
                return true
            }
        }
        offset = bytes.count
        StepCount.add(2 * (offset - before))
        return false
    }

    /// Moves to the next `end` byte or white space. Returns the range of the bytes before it.
    package mutating func upTo(_ end: UInt8) -> Range<Int> {
        let start = offset
        while offset < bytes.count, bytes[offset] != end, Self.spaceLength(bytes, offset) == 0 { offset += 1 }
        StepCount.add(offset - start + 1)
        return start..<offset
    }

    /// Returns the length in bytes of the Unicode white space at `offset`; 0 for another character.
    package static func spaceLength(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
        let byte = bytes[offset]
        if byte < 0x80 { return byte == 32 || (9...13).contains(byte) ? 1 : 0 }
        guard byte == 0xc2 || byte == 0xe1 || byte == 0xe2 || byte == 0xe3, offset + 1 < bytes.count else { return 0 }
        let second = bytes[offset + 1]
        if byte == 0xc2 { return second == 0x85 || second == 0xa0 ? 2 : 0 }
        guard offset + 2 < bytes.count else { return 0 }
        let third = bytes[offset + 2]
        let isSpace =
            switch (byte, second) {
            case (0xe1, 0x9a): third == 0x80
            case (0xe2, 0x80): (0x80...0x8a).contains(third) || third == 0xa8 || third == 0xa9 || third == 0xaf
            case (0xe2, 0x81): third == 0x9f
            case (0xe3, 0x80): third == 0x80
            default: false
            }
        return isSpace ? 3 : 0
    }
}

// MARK: Fixed words

/// Matches bytes with a word in a `switch` statement: `switch value.text { case "auto": … }`.
package func ~= (word: StaticString, text: UnsafeRawBufferPointer) -> Bool { text.equals(word) }

package func ~= (word: StaticString, text: UnsafeRawBufferPointer?) -> Bool { text?.equals(word) ?? false }

package func == (text: UnsafeRawBufferPointer?, word: StaticString) -> Bool { text?.equals(word) ?? false }

package func != (text: UnsafeRawBufferPointer?, word: StaticString) -> Bool { !(text == word) }

extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// Creates the case with this raw value; nil if there is none.
    @inlinable public init?(word: UnsafeRawBufferPointer) {
        guard let named = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(word) }) else { return nil }
        self = named
    }
}

extension StringProtocol {
    /// Returns whether both texts have the same UTF-8 bytes.
    package func hasSameBytes(as other: some StringProtocol) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Returns whether the text begins with these bytes. Swift's `hasPrefix` is quadratic for hostile texts.
    package func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    /// Returns the text behind the bytes of `prefix`; nil if it does not begin with them.
    package func rest(after prefix: String) -> String? {
        begins(with: prefix) ? String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : nil
    }
}

extension String {
    /// Returns whether both strings have the same UTF-8 bytes.
    @inlinable
    public func hasSameBytes(as other: String) -> Bool {
        // A copy refers to the same characters, or contains them if they are few.
        unsafeBitCast(self, to: (UInt64, UInt64).self) == unsafeBitCast(other, to: (UInt64, UInt64).self)
            || hasEqualBytes(other)
    }

    @usableFromInline
    func hasEqualBytes(_ other: String) -> Bool {
        withBytes { bytes in other.withBytes { bytes.equals($0) } }
    }

    /// Calls `body` with the UTF-8 bytes of the string, and returns the result of `body`.
    @inlinable
    public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        if let value = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return value }
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
