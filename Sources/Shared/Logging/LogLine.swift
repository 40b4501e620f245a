import Engine

/// A log line under construction. Field names must consist of letters, digits and `_`, because they are not escaped.
package struct LogLine: ~Copyable {
    var buffer = ByteBuffer()
    private let format: LogFormat

    init(_ level: LogLevel, _ message: StaticString, format: LogFormat) {
        self.format = format
        _ = buffer.reserve(512)
        switch format {
        case .json:
            buffer.append(",\"level\":\"", level.rawValue, "\",\"message\":\"")
            buffer.append(message)
            buffer.append(UInt8(ascii: "\""))
        case .text:
            buffer.append(UInt8(ascii: " "))
            buffer.append(level.rawValue)
            buffer.append(UInt8(ascii: " "))
            buffer.append(message)
        }
    }

    /// Adds a field with a text that may contain any bytes. The text is escaped.
    package mutating func add(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        begin(name)
        append(value)
    }

    package mutating func add(_ name: StaticString, _ value: String) {
        begin(name)
        value.withBytes { append($0) }
    }

    /// Adds a field with a constant word, which must need no quotes in the text format.
    package mutating func add(_ name: StaticString, word value: StaticString) {
        begin(name)
        if format == .json { buffer.append(UInt8(ascii: "\"")) }
        buffer.append(value)
        if format == .json { buffer.append(UInt8(ascii: "\"")) }
    }

    /// Adds a field with an id or a name. The value must need no quotes in the text format.
    package mutating func add(_ name: StaticString, word value: String) {
        begin(name)
        if format == .json { buffer.append(UInt8(ascii: "\"")) }
        buffer.append(value)
        if format == .json { buffer.append(UInt8(ascii: "\"")) }
    }

    /// Adds a field with a text; adds nothing if the text is nil.
    package mutating func add(_ name: StaticString, _ value: String?) {
        if let value { add(name, value) }
    }

    package mutating func add(_ name: StaticString, _ value: Int) {
        begin(name)
        buffer.append(decimal: value)
    }

    /// Adds a field with a number that is given as text, such as `12` or `0.25`.
    package mutating func add(_ name: StaticString, number: String) {
        begin(name)
        buffer.append(number)
    }

    package mutating func add(_ name: StaticString, _ value: Bool) {
        begin(name)
        buffer.append(value ? "true" : "false")
    }

    mutating func end() {
        if format == .json { buffer.append(UInt8(ascii: "}")) }
        buffer.append(UInt8(ascii: "\n"))
    }

    private mutating func begin(_ name: StaticString) {
        switch format {
        case .json: buffer.append(",\"", name, "\":")
        case .text: buffer.append(" ", name, "=")
        }
    }

    private mutating func append(_ value: UnsafeRawBufferPointer) {
        switch kind(of: value) {
        case .word where format == .text: buffer.append(value)
        case .word, .ascii: buffer.append(json: value)
        case .other: appendForeign(String(decoding: value, as: UTF8.self))
        }
    }

    /// Appends text in quotes. Escapes more than JSON requires, such as the characters 127 to 159.
    private mutating func appendForeign(_ text: String) {
        var plain = ""
        var isClean = true
        for scalar in text.unicodeScalars {
            switch scalar.value {
            // Some terminals and log readers interpret these characters.
            case 0x7F...0x9F, 0x2028, 0x2029: isClean = false
            default: continue
            }
        }
        if isClean { return buffer.append(json: text) }
        buffer.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                plain += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            case 0x22, 0x5C: plain += "\\\(scalar)"
            default: plain.unicodeScalars.append(scalar)
            }
        }
        buffer.append(plain)
        buffer.append(UInt8(ascii: "\""))
    }

    private enum Kind {
        /// A value that needs no quotes in the text format.
        case word
        case ascii
        /// A value that contains a byte of 127 or more.
        case other
    }

    private func kind(of value: UnsafeRawBufferPointer) -> Kind {
        var isWord = !value.isEmpty
        for byte in value {
            if byte >= 127 { return .other }
            if byte <= 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "\\") {
                isWord = false
            }
        }
        return isWord ? .word : .ascii
    }
}
