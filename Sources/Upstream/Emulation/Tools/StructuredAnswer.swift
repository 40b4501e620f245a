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
    /// A long value that is yet to be judged, and the answer's text after it.
    private var waiting: StructuredValue?
    private var after = ByteBuffer()

    package static let limitBytes = 4 * 1_048_576

    package init(_ format: FormatProtocol) { self.format = format }

    var heldBytes: Int {
        held.count + (found?.utf8.count ?? 0) + (waiting?.text.bytes.count ?? 0) + after.count
    }

    /// A value of more than `WorkQueue.loopBytes`: `settle` takes what comes of it. Text waits meanwhile.
    var unjudged: StructuredValue? { waiting }

    /// True: the answer is there, and nothing that follows counts.
    package var isDone: Bool { found != nil }

    package mutating func take(_ piece: UnsafeRawBufferPointer) {
        guard waiting == nil else { return wait(with: piece) }
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
            if waiting != nil { return wait(with: piece[part: index..<piece.count]) }
        }
    }

    private mutating func wait(with piece: UnsafeRawBufferPointer) {
        after.append(piece)
        if after.count > Self.limitBytes { isTooLong = true }
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
        while let waiting { settle(waiting.judged(by: parser)) }
        if let found { return .document(found) }
        if isTooLong { return .unfit("it is too long") }
        if isInside, !isFresh { return .unfit("it is not whole: the JSON has no end") }
        return .unfit(problem ?? "it holds no JSON object")
    }

    private mutating func judge() {
        isInside = false
        var text = ByteBuffer()
        if scan.hasControls { ValueScan.append(held.bytes, to: &text) } else { swap(&text, &held) }
        held.removeAll()
        let value = StructuredValue(text: Body(text), format: format)
        if value.text.bytes.count > WorkQueue.loopBytes { waiting = value } else { note(value.judged(by: parser)) }
    }

    private mutating func note(_ verdict: StructuredValue.Verdict) {
        switch verdict {
        case .fits(let text): found = text
        case .misfit(let why): problem = why
        case .broken(let why): problem = problem ?? why
        }
    }

    /// Goes on after a long value.
    mutating func settle(_ verdict: StructuredValue.Verdict) {
        waiting = nil
        note(verdict)
        var rest = ByteBuffer()
        swap(&rest, &after)
        take(rest.bytes)
    }
}

/// A JSON value that may be the document that was asked for.
struct StructuredValue: Sendable {
    enum Verdict: Sendable {
        case fits(String)
        /// By the schema: it tells more than the next.
        case misfit(String)
        case broken(String)
    }

    let text: Body
    let format: FormatProtocol

    /// On any thread.
    func judged(by parser: JSONParser = JSONParser()) -> Verdict {
        let value: JSONValue
        do throws(JSONError) {
            value = try parser.parse(text.bytes)
        } catch {
            return .broken("it is not valid JSON")
        }
        return withExtendedLifetime(parser) {
            if let schema = format.schema {
                let verdict = schema.verdict(on: value, bytes: text.bytes.count)
                guard verdict.fits else { return .misfit(verdict.text) }
            } else if value.kind != .object {
                return .broken("it is not a JSON object")
            }
            return .fits(text.text)
        }
    }
}
