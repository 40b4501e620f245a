/// A value that can append itself to a buffer as JSON.
package protocol JSONWritable {
    /// Appends the value as JSON, with quotes and escapes if its type needs them.
    func appendJSON(to out: inout ByteBuffer)
}

/// JSON text that is written by string interpolation: `#"{"id":\#(id),"items":\#(items)}"#`.
///
/// Literals are trusted and written unchanged. Interpolated values are written as JSON: a string gets quotes and
/// escapes.
///
/// `@unchecked`: the bytes do not change after `init`.
package struct JSONFragment: ExpressibleByStringInterpolation, @unchecked Sendable {
    private let output: JSONOutput

    package init(stringLiteral text: String) {
        output = JSONOutput()
        output.bytes.append(text)
    }

    package init(stringInterpolation: StringInterpolation) { output = stringInterpolation.output }

    package var text: String { output.bytes.text }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate let output = JSONOutput()
        /// Whether the last interpolation was an optional member.
        private var followsMember = false

        package init(literalCapacity: Int, interpolationCount: Int) {
            _ = output.bytes.reserve(literalCapacity + 16 * interpolationCount)
        }

        /// Appends a literal unchanged, except for a comma that is not needed after an absent optional member.
        package mutating func appendLiteral(_ text: String) {
            let isAtStart = output.isAtStart
            text.withBytes { bytes in
                let comma = bytes.firstIndex { !isSpace($0) }
                if followsMember, isAtStart, let comma, bytes[comma] == UInt8(ascii: ",") {
                    output.bytes.append(bytes[part: (comma + 1)..<bytes.count])
                } else {
                    output.bytes.append(bytes)
                }
            }
            if !text.isEmpty { followsMember = false }
        }

        package mutating func appendInterpolation(_ value: some JSONWritable) { value.appendJSON(to: &output.bytes) }

        /// Appends a value as JSON; `null` for nil.
        package mutating func appendInterpolation(_ value: (some JSONWritable)?) { value.appendJSON(to: &output.bytes) }

        /// Appends a JSON array that contains the result of `json` for each element.
        package mutating func appendInterpolation<Elements: Sequence>(
            _ elements: Elements,
            each json: (Elements.Element) -> JSONFragment
        ) {
            output.bytes.append(array: elements) { json($0).appendJSON(to: &$1) }
        }

        /// Appends a member of an object, after a comma if needed. Appends nothing if the value is nil.
        package mutating func appendInterpolation(member name: String, _ value: (some JSONWritable)?) {
            followsMember = true
            guard let value else { return }
            if !output.isAtStart { output.bytes.append(",") }
            output.bytes.append(json: name)
            output.bytes.append(":")
            value.appendJSON(to: &output.bytes)
        }

        /// Appends members of an object, with commas between them.
        package mutating func appendInterpolation(members: [(name: String, value: JSONFragment)]) {
            followsMember = true
            for member in members { appendInterpolation(member: member.name, member.value) }
        }

        /// Appends bytes that are already valid JSON.
        package mutating func appendInterpolation(raw json: UnsafeRawBufferPointer) { output.bytes.append(json) }
    }
}

extension JSONFragment: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append(output.bytes.bytes) }
}

/// The bytes of a JSON fragment. All copies of the fragment share one object.
private final class JSONOutput {
    var bytes = ByteBuffer()

    /// Whether the next value needs no comma before it.
    var isAtStart: Bool {
        guard let last = bytes.bytes.last(where: { !isSpace($0) }) else { return true }
        return last == UInt8(ascii: "{") || last == UInt8(ascii: "[") || last == UInt8(ascii: ",")
    }
}

private func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 || byte == 13 || byte == 9 }

extension ByteBuffer {
    package init(json fragment: JSONFragment) { json(fragment) }

    /// Appends the JSON text of the fragment unchanged.
    package mutating func json(_ fragment: JSONFragment) { fragment.appendJSON(to: &self) }
}

extension String: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append(json: self) }
}

extension Substring: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append(json: String(self)) }
}

extension Int: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append(decimal: self) }
}

extension UInt64: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append("\(self)") }
}

extension Double: JSONWritable {
    /// Appends the shortest decimal text that gives this number; `null` if it is infinite or not a number.
    package func appendJSON(to out: inout ByteBuffer) {
        if isFinite { out.append("\(self)") } else { out.append("null") }
    }
}

extension Bool: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) { out.append(self ? "true" : "false") }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) {
        if let self { self.appendJSON(to: &out) } else { out.append("null") }
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    package func appendJSON(to out: inout ByteBuffer) {
        out.append(array: self) { $0.appendJSON(to: &$1) }
    }
}
