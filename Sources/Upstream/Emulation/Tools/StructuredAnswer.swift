import Engine
import Shared

/// Finds the JSON of a structured answer that comes in pieces, cut anywhere: code fences and chatter around it go. The
/// first value that fits is the answer. Time is linear, and what is held is bounded.
package struct StructuredAnswer: ~Copyable {
    package enum Verdict: Sendable, Equatable {
        /// The JSON as the model wrote it.
        case document(String)
        /// In words for the model.
        case unfit(String)
    }

    private let format: FormatProtocol
    private let parser = JSONParser()
    /// From the beginning of the value that is being read.
    private var held = ByteBuffer()
    private var scan = ValueScan()
    private var isInside = false
    private var found: String?
    private var problem: String?
    /// Nothing but white space has come since the first bracket.
    private var isFresh = false
    private var isTooLong = false

    package static let limitBytes = 4 * 1_048_576

    package init(_ format: FormatProtocol) { self.format = format }

    var heldBytes: Int { held.count + (found?.utf8.count ?? 0) }

    /// True: the answer is there, and nothing that follows counts.
    package var isDone: Bool { found != nil }

    package mutating func take(_ piece: UnsafeRawBufferPointer) {
        var index = 0
        StepCount.add(piece.count)
        while index < piece.count, found == nil, !isTooLong {
            guard isInside else {
                while index < piece.count, piece[index] != 123, piece[index] != 91 { index += 1 }
                if index < piece.count { begin(piece[index]) }
                index += 1
                continue
            }
            if isFresh {
                index += begins(piece[index]) ? 1 : 0
                continue
            }
            let from = index
            var isEnd = false
            while index < piece.count, !isEnd {
                if case .end = scan.take(piece[index]) { isEnd = true }
                index += 1
            }
            held.append(piece[part: from..<index])
            if held.count > Self.limitBytes { isTooLong = true }
            if isEnd { judge() }
        }
    }

    private mutating func begin(_ bracket: UInt8) {
        (isInside, isFresh, scan) = (true, true, ValueScan())
        _ = scan.take(bracket)
        held.append(bracket)
    }

    /// False: the byte is to be taken again. A bracket before a byte that JSON does not have there is one of the chatter.
    private mutating func begins(_ byte: UInt8) -> Bool {
        let isSpace = ToolCallParser.isSpace(byte)
        if isSpace, held.count < 4_096 {
            held.append(byte)
            return true
        }
        isFresh = false
        let isObject = held.bytes.first == 123
        let isValue =
            isObject
            ? byte == 34 || byte == 125
            : (48...57).contains(byte) || [34, 45, 91, 93, 102, 110, 116, 123].contains(byte)
        if isValue && !isSpace { return false }
        isInside = false
        held.removeAll()
        return false
    }

    /// The answer is over.
    package mutating func finish() -> Verdict {
        if let found { return .document(found) }
        if isTooLong { return .unfit("it is too long") }
        if isInside, !isFresh { return .unfit("it is not whole: the JSON has no end") }
        return .unfit(problem ?? "it holds no JSON object")
    }

    private mutating func judge() {
        isInside = false
        defer { held.removeAll() }
        var fixed = ByteBuffer()
        if scan.hasControls { ValueScan.append(held.bytes, to: &fixed) }
        let text = scan.hasControls ? fixed.bytes : held.bytes
        let value: JSONValue
        do throws(JSONError) {
            value = try parser.parse(text)
        } catch {
            problem = problem ?? "it is not valid JSON"
            return
        }
        if let schema = format.schema {
            let verdict = schema.verdict(on: value, bytes: text.count)
            guard verdict.fits else {
                problem = verdict.text
                return
            }
        } else if value.kind != .object {
            problem = problem ?? "it is not a JSON object"
            return
        }
        found = text.text
    }
}
