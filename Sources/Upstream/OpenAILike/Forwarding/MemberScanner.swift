import Engine

/// A scanner that reads the members of a JSON object while the object is passed on in chunks. It stores `usage`,
/// `svg_usage`, `duration`, `error` and `type`, and replaces `model`.
struct MemberScanner: ~Copyable {
    private enum ScanPhase { case before, name, colon, value, after }
    private var phase = ScanPhase.before
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    private var name = ByteBuffer()
    private var value = ByteBuffer()
    private var kept = RecordedMember.none
    /// The model name that replaces the vendor's name of the model.
    private let model: String
    /// The JSON value of the member `usage`; empty if no such member has been scanned.
    private(set) var usage = ByteBuffer()
    /// The JSON value of the member `svg_usage`, what another model used that wrote the image; empty if there is none.
    private(set) var svgUsage = ByteBuffer()
    /// The JSON value of the member `duration`, the seconds of a recording; empty if none has been scanned.
    private(set) var duration = ByteBuffer()
    private(set) var error = ByteBuffer()
    private(set) var type = ByteBuffer()
    /// The number of members that have been scanned completely.
    private(set) var members = 0
    /// Whether the scanned bytes are not a JSON object.
    private(set) var isBroken = false
    private(set) var isWhole = false
    /// Whether the value of a member `error` is passed on to the client. Must not change in the middle of such a value.
    var passesFailures = false

    private enum RecordedMember { case none, model, usage, svgUsage, duration, error, type }

    static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
    private static let nameLimitBytes = 64
    private static let valueLimitBytes = 65_536

    init(model: String) { self.model = model }

    /// Resets the scanner for the next JSON object.
    mutating func restart() {
        phase = .before
        depth = 0
        isInText = false
        isEscaped = false
        kept = .none
        members = 0
        isBroken = false
        isWhole = false
        name.removeAll()
        value.removeAll()
        error.removeAll()
        type.removeAll()
    }

    /// Whether the scanned JSON object has begun but not ended.
    var isWithin: Bool { depth > 0 && !isWhole && !isBroken }

    /// Whether the value of `error` has begun but not ended.
    var isInError: Bool { kept == .error }

    private var isKeptHere: Bool { kept == .model || kept == .error && !passesFailures }

    /// Whether the scanned JSON object is an error instead of a response.
    var isErrorResponse: Bool { Self.isFailure(error.bytes) || type.bytes.equals(#""error""#) }

    /// Returns whether a value of the member `error` reports a failure: it is an object or a non-empty string.
    private static func isFailure(_ value: UnsafeRawBufferPointer) -> Bool {
        value.first == 123 || value.first == 34 && value.count > 2
    }

    /// Scans a chunk of the JSON object. Appends to `out` the bytes that the client gets.
    mutating func consume(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        var copied = 0
        var index = 0
        while index < bytes.count, !isWhole, !isBroken {
            if kept == .none, phase == .value, !isEscaped {
                index = isInText ? Self.endOfText(bytes, index) : Self.endOfBare(bytes, index)
                guard index < bytes.count else { break }
            }
            let byte = bytes[index]
            var isHeld = isKeptHere
            if isInText {
                consumeInText(byte)
            } else {
                if depth == 1, phase == .value, byte == 44 || byte == 125 {
                    if !isHeld { out.append(bytes[part: copied..<index]) }
                    copied = index
                    isHeld = false
                    endValue(&out)
                }
                consumeBare(byte)
                if byte == 58, isKeptHere, value.isEmpty, !isHeld {
                    out.append(bytes[part: copied..<(index + 1)])
                    copied = index + 1
                }
            }
            if kept != .none, phase == .value { keep(byte, &out) }
            index += 1
            // A byte order mark does not go on.
            if isHeld || phase == .before && Self.byteOrderMark.contains(byte) {
                if !isHeld { out.append(bytes[part: copied..<(index - 1)]) }
                copied = index
            }
        }
        out.append(bytes[part: copied..<bytes.count])
    }

    private static func endOfText(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] != 34, bytes[index] != 92 { index += 1 }
        return index
    }

    /// Returns the offset of the next quote, comma, bracket or brace; the number of bytes if there is none.
    private static func endOfBare(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case 34, 44, 91, 93, 123, 125: return index
            default: index += 1
            }
        }
        return index
    }

    private mutating func consumeInText(_ byte: UInt8) {
        if phase == .name, depth == 1, byte != 34 || isEscaped, name.count < Self.nameLimitBytes {
            name.append(byte)
        }
        if isEscaped {
            isEscaped = false
        } else if byte == 92 {
            isEscaped = true
        } else if byte == 34 {
            isInText = false
            if phase == .name, depth == 1 { phase = .colon }
        }
    }

    private mutating func consumeBare(_ byte: UInt8) {
        switch byte {
        case 34: isInText = true
        case 123, 91:
            depth += 1
            if phase == .before {
                isBroken = byte != 123
                phase = .name
            }
        case 125, 93:
            depth -= 1
            isWhole = depth == 0
            isBroken = depth < 0
        case 44 where depth == 1:
            phase = .name
            name.removeAll()
        case 58 where depth == 1 && phase == .colon: beginValue()
        default:
            // A byte order mark and white space may precede the object.
            if depth == 0, byte > 32, byte < 128 { isBroken = true }
        }
    }

    private mutating func beginValue() {
        phase = .value
        value.removeAll()
        switch name.bytes {
        case let name where name.equals("model"): kept = .model
        case let name where name.equals("usage"): kept = .usage
        case let name where name.equals("svg_usage"): kept = .svgUsage
        case let name where name.equals("duration"): kept = .duration
        case let name where name.equals("error"): kept = .error
        case let name where name.equals("type"): kept = .type
        default: kept = .none
        }
    }

    private mutating func keep(_ byte: UInt8, _ out: inout ByteBuffer) {
        if value.isEmpty, byte == 58 || byte <= 32 { return }
        value.append(byte)
        guard value.count > Self.valueLimitBytes else { return }
        if kept == .model { out.append(value.bytes) }
        if kept == .error { swap(&error, &value) }
        kept = .none
    }

    private mutating func endValue(_ out: inout ByteBuffer) {
        members += 1
        phase = .after
        while let last = value.bytes.last, last <= 32 { value.removeLast(1) }
        switch kept {
        case .none: break
        case .model where value.bytes.first == 34: out.append(json: model)
        case .model: out.append(value.bytes)
        case .usage: swap(&usage, &value)
        case .svgUsage: swap(&svgUsage, &value)
        case .duration: swap(&duration, &value)
        case .error:
            if !passesFailures, !Self.isFailure(value.bytes) { out.append(value.bytes) }
            swap(&error, &value)
        case .type: swap(&type, &value)
        }
        kept = .none
        value.removeAll()
    }
}
