import Engine

/// An encoder that writes the vectors of an embeddings response as base64 while the response arrives. All other bytes
/// stay as they are.
///
/// A client that asked for base64 may decode what it gets without looking, and some servers send numbers only.
struct VectorEncoder: ~Copyable {
    private enum State { case outside, inString, afterName, opened, inVector }
    private var state = State.outside
    /// The beginning of the current string, of which only `embedding` matters.
    private var name = ByteBuffer()
    private var isEscaped = false
    private var number = ByteBuffer()
    /// The numbers of the vector that are not written yet, four bytes each.
    private var vector = ByteBuffer()

    private static let name: StaticString = "embedding"
    /// The bytes of a vector that are written at once. Without a rest of three, base64 needs no padding between them.
    private static let writtenBytes = 3 * 4_096
    private static let maxNumberBytes = 40

    /// Encodes the next bytes of the response.
    mutating func consume(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        for byte in bytes { consume(byte, into: &out) }
    }

    private mutating func consume(_ byte: UInt8, into out: inout ByteBuffer) {
        switch state {
        case .outside:
            if byte == UInt8(ascii: "\"") { begin() }
            out.append(byte)
        case .inString:
            readString(byte)
            out.append(byte)
        case .afterName:
            if byte == UInt8(ascii: "[") {
                state = .opened
                return
            }
            if byte == UInt8(ascii: "\"") { begin() } else if byte > 32, byte != UInt8(ascii: ":") { state = .outside }
            out.append(byte)
        case .opened where byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") || byte == UInt8(ascii: "\""):
            // A list of vectors, or of something else, stays a list.
            state = .outside
            out.append("[")
            consume(byte, into: &out)
        case .opened where byte <= 32: break
        case .opened:
            state = .inVector
            out.append("\"")
            consume(byte, into: &out)
        case .inVector:
            guard byte <= 32 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") else {
                if number.count < Self.maxNumberBytes { number.append(byte) }
                return
            }
            appendNumber()
            if byte != UInt8(ascii: "]") {
                if vector.count >= Self.writtenBytes { writeVector(into: &out) }
                return
            }
            writeVector(into: &out)
            out.append("\"")
            state = .outside
        }
    }

    private mutating func begin() {
        state = .inString
        name.removeAll()
    }

    private mutating func readString(_ byte: UInt8) {
        if !isEscaped, byte == UInt8(ascii: "\"") {
            state = name.bytes.equals(Self.name) ? .afterName : .outside
            return
        }
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        if name.count <= Self.name.utf8CodeUnitCount { name.append(byte) }
    }

    private mutating func appendNumber() {
        guard !number.isEmpty else { return }
        let value = Float(number.bytes.text) ?? .nan
        withUnsafeBytes(of: value.bitPattern.littleEndian) { vector.append($0) }
        number.removeAll()
    }

    private mutating func writeVector(into out: inout ByteBuffer) {
        out.append(base64: vector.bytes)
        vector.removeAll()
    }
}
