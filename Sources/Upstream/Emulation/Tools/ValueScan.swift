import Engine

/// A scanner that finds the end of a JSON object or array. It does not validate the JSON.
struct ValueScan {
    private(set) var depth = 0
    private(set) var isInString = false
    private var isEscaped = false
    /// Whether a string of the JSON contains a control character, which must be escaped.
    private(set) var hasControls = false

    enum Step {
        case inside
        /// The consumed byte ends the JSON object or array.
        case end
        /// The consumed byte is `<` outside a string, which JSON does not contain.
        case alien
    }

    @inline(__always)
    mutating func consume(_ byte: UInt8) -> Step {
        if isInString {
            if isEscaped {
                isEscaped = false
                if byte < 32 { hasControls = true }
            } else if byte == 92 {
                isEscaped = true
            } else if byte == 34 {
                isInString = false
            } else if byte < 32 {
                hasControls = true
            }
            return .inside
        }
        switch byte {
        case 34: isInString = true
        case 123, 91: depth += 1
        case 125, 93:
            depth -= 1
            if depth <= 0 { return .end }
        case 60: return .alien
        default: break
        }
        return .inside
    }

    /// Appends a JSON value to the buffer, with the control characters in its strings escaped.
    static func append(_ value: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var scan = ValueScan()
        for (index, byte) in value.enumerated() {
            let wasInString = scan.isInString
            _ = scan.consume(byte)
            if wasInString, byte < 32 {
                // After a backslash the escape has already begun.
                let isEscape = index > 0 && value[index - 1] == 92 && buffer.bytes.last == 92
                if isEscape { buffer.removeLast(1) }
                var text = byte
                withUnsafeBytes(of: &text) { buffer.append(jsonContent: $0) }
            } else {
                buffer.append(byte)
            }
        }
    }
}
