import Calls
import Engine
import Shared

/// The events of an answer that goes on. Each is held as long as it may tell a failure in place of the rest.
struct ForwardedEvents: ~Copyable {
    private var scanner: MemberScanner
    private let parser: JSONParser
    private(set) var usage: Usage?
    /// A failure came in place of the answer, or of its rest. It stays here.
    private(set) var isFailure = false
    /// An event with data went on.
    private(set) var hasData = false
    private var coming = ByteBuffer()
    private var dataStart: Int?
    private var isNamedError = false
    // The line that is coming.
    private var line = ByteBuffer()
    private var carried = ByteBuffer()
    private var isInData = false
    private var isInLine = false

    /// No failure takes more.
    static let failureLimitBytes = 65_536

    init(model: String, _ parser: JSONParser) {
        scanner = MemberScanner(model: model)
        self.parser = parser
    }

    /// Leaves nothing of use in `piece`.
    mutating func take(_ piece: inout ByteBuffer, into out: inout ByteBuffer) {
        if !carried.isEmpty {
            carried.append(piece.bytes)
            swap(&piece, &carried)
            carried.removeAll()
        }
        let bytes = piece.bytes
        var start = 0
        while start < bytes.count, !isFailure {
            let rest = bytes[part: start..<bytes.count]
            let newline = rest.firstNewline()
            // The name of a line may be cut.
            if newline == nil, !isInLine, rest.count < 5 {
                carried.append(rest)
                return
            }
            let end = newline.map { start + $0 + 1 } ?? bytes.count
            take(part: bytes[part: start..<end], &out)
            start = end
        }
    }

    /// Of one line, or all of it.
    private mutating func take(part: UnsafeRawBufferPointer, _ out: inout ByteBuffer) {
        let ends = part.last == 10
        if isInData {
            scanner.take(part, into: &coming)
        } else if !isInLine, part.hasPrefix("data:") {
            coming.append("data:")
            dataStart = coming.count
            scanner.restart()
            scanner.take(part[part: 5..<part.count], into: &coming)
            isInData = true
        } else {
            coming.append(part)
            if line.count < 64 { line.append(part[part: 0..<min(64, part.count)]) }
        }
        isInLine = !ends
        if ends { endLine(&out) } else if coming.count > Self.failureLimitBytes { letGo(&out) }
    }

    private mutating func endLine(_ out: inout ByteBuffer) {
        while let last = line.bytes.last, last <= 32 { line.removeLast(1) }
        if isInData { usage = scanner.usage(parser) ?? usage }
        if line.bytes.equals("event: error") || line.bytes.equals("event:error") { isNamedError = true }
        if line.isEmpty && !isInData || coming.count > Self.failureLimitBytes { letGo(&out) }
        isInData = false
        line.removeAll()
    }

    /// The event has ended, or is longer than a failure.
    private mutating func letGo(_ out: inout ByteBuffer) {
        guard !scanner.tellsFailure, !isNamedError else {
            isFailure = true
            return
        }
        if dataStart != nil { hasData = true }
        dataStart = nil
        if out.isEmpty {
            swap(&out, &coming)
        } else {
            out.append(coming.bytes)
            coming.removeAll()
        }
    }

    mutating func end(into out: inout ByteBuffer) {
        usage = scanner.usage(parser) ?? usage
        coming.append(carried.bytes)
        letGo(&out)
    }

    /// As JSON; nil: its vendor told none.
    func failure() -> ByteBuffer? {
        if let told = scanner.failure() { return told }
        guard let dataStart else { return nil }
        var told = ByteBuffer()
        told.append(coming.bytes[part: dataStart..<coming.count])
        return told
    }
}
