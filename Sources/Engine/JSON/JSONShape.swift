import CSimdjson

/// The numbers of values, elements and levels in a JSON text, counted before parsing.
package struct JSONShape: Equatable, Sendable {
    /// The number of array elements and object members at all levels, plus one for the root.
    package private(set) var values = 0
    /// The number of elements in the largest array that is a direct member of the root object.
    package private(set) var maxElements = 0
    /// The name of the root's member with the largest array; empty if the name has escapes or more than 64 bytes.
    package private(set) var maxElementsName = ""
    package private(set) var depth = 0

    /// The size in bytes below which a JSON text is parsed without counting its values first.
    package static let harmlessBytes = 20_000

    package struct Bound: Sendable {
        package var values: Int
        package var elements: Int
        package var depth: Int

        package init(values: Int, elements: Int, depth: Int) {
            self.values = values
            self.elements = elements
            self.depth = depth
        }
    }

    /// Returns true if a fast check shows that the text is within `bound`. If false, the text can still be within
    /// `bound`.
    package static func isHarmless(_ text: UnsafeRawBufferPointer, _ bound: Bound) -> Bool {
        guard let base = text.baseAddress else { return true }
        var (separators, openings) = (0, 0)
        relay_json_signs(base.assumingMemoryBound(to: UInt8.self), text.count, &separators, &openings)
        return openings <= bound.depth && separators + openings < min(bound.values, bound.elements)
    }

    /// Counts the values, elements and levels of the text. Stops when the bound is exceeded.
    package init(_ text: UnsafeRawBufferPointer, upTo bound: Bound) {
        guard let base = text.baseAddress else { return }
        var scan = Scan(text: UnsafeRawBufferPointer(start: base, count: text.count), bound: bound)
        scan.run()
        values = scan.values
        maxElements = scan.maxElements
        depth = scan.most
        if let name = scan.mostName, name.count <= 64, !text[part: name].contains(UInt8(ascii: "\\")) {
            maxElementsName = text[part: name].text
        }
    }

    package func isWithin(_ bound: Bound) -> Bool {
        values <= bound.values && maxElements <= bound.elements && depth <= bound.depth
    }
}

/// The state of the single pass that counts the values of a JSON text.
private struct Scan {
    let text: UnsafeRawBufferPointer
    let bound: JSONShape.Bound
    var values = 1
    var most = 0
    var maxElements = 0
    var mostName: Range<Int>?
    private var depth = 0
    /// The number of elements so far in the current array, a direct member of the root.
    private var elements = 0
    /// The kind of container at each level, as one bit: 1 for an array, 0 for an object.
    private var arrays = InlineArray<17, UInt64>(repeating: 0)
    /// Whether the current array or object has just been opened and contains nothing yet.
    private var isFresh = false
    private var lastString: Range<Int>?
    private var name: Range<Int>?

    init(text: UnsafeRawBufferPointer, bound: JSONShape.Bound) {
        self.text = text
        self.bound = bound
    }

    private var isArray: Bool { arrays[depth >> 6] >> UInt64(depth & 63) & 1 == 1 }

    mutating func run() {
        var offset = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "\""):
                begins()
                let end = JSONShape.endOfString(in: text, after: offset + 1)
                if depth == 1 { lastString = (offset + 1)..<end }
                offset = end
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                begins()
                guard open(isArray: text[offset] == UInt8(ascii: "[")) else { return }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): close()
            case UInt8(ascii: ","): if isArray { count() }
            case UInt8(ascii: ":"):
                values += 1
                if depth == 1 { name = lastString }
            case UInt8(ascii: " "), 9, 10, 13: break
            default: begins()
            }
            if values > bound.values || maxElements > bound.elements { return }
            offset += 1
        }
    }

    /// Handles the beginning of a value or of a member's name.
    @inline(__always)
    private mutating func begins() {
        guard isFresh else { return }
        isFresh = false
        if isArray { count() }
    }

    /// Counts one more element of the current array.
    @inline(__always)
    private mutating func count() {
        values += 1
        guard depth == 2 else { return }
        elements += 1
        guard elements > maxElements else { return }
        maxElements = elements
        mostName = name
    }

    private mutating func open(isArray: Bool) -> Bool {
        depth += 1
        most = max(most, depth)
        guard depth <= bound.depth, depth < 17 * 64 else { return false }
        let bit = UInt64(1) << UInt64(depth & 63)
        if isArray { arrays[depth >> 6] |= bit } else { arrays[depth >> 6] &= ~bit }
        isFresh = true
        if depth == 2 { elements = 0 }
        return true
    }

    private mutating func close() {
        isFresh = false
        if depth > 0 { depth -= 1 }
    }
}

extension JSONShape {
    /// Returns the offset of the closing quote of a string whose content begins at `start`. Returns the length of the
    /// text if the quote is missing.
    package static func endOfString(in text: UnsafeRawBufferPointer, after start: Int) -> Int {
        guard let base = text.baseAddress else { return 0 }
        guard start < text.count else { return text.count }
        let content = (base + start).assumingMemoryBound(to: UInt8.self)
        return start + relay_json_string(content, text.count - start)
    }
}
