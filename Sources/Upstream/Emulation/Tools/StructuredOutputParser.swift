import Engine
import Shared

/// Finds the JSON of a structured output that arrives in chunks, without code fences and text around it. The first
/// value that fits wins. It takes linear time and limited memory.
package struct StructuredOutputParser: ~Copyable {
    package enum Validation: Sendable, Equatable {
        /// The JSON as the model wrote it.
        case document(String)
        /// The reason why there is no document, in words for the model.
        case unfit(String)
    }

    private let format: FormatProtocol
    private let parser = JSONParser()
    /// The value that is being read, from its beginning.
    private var held = ByteBuffer()
    private var scan = ValueScan()
    private var isInside = false
    private var found: String?
    private var problem: String?
    /// Whether only white space has come since the first bracket.
    private var isFresh = false
    private var isTooLong = false
    /// A long value that waits to be validated; `after` is the text that follows it.
    private var waiting: StructuredValue?
    private var after = ByteBuffer()

    package static let limitBytes = 4 * 1_048_576

    package init(_ format: FormatProtocol) { self.format = format }

    var heldBytes: Int {
        held.count + (found?.utf8.count ?? 0) + (waiting?.text.bytes.count ?? 0) + after.count
    }

    /// A value of more than `WorkQueue.loopBytes` that waits to be validated. Pass the result to `settle`; more text
    /// is held until then.
    var unjudged: StructuredValue? { waiting }

    /// Whether the document was found, so that further text is ignored.
    package var isDone: Bool { found != nil }

    package mutating func consume(_ piece: UnsafeRawBufferPointer) {
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
                if case .end = scan.consume(piece[index]) { isEnd = true }
                index += 1
            }
            held.append(piece[part: from..<index])
            if held.count > Self.limitBytes { isTooLong = true }
            if isEnd { validate() }
            if waiting != nil { return wait(with: piece[part: index..<piece.count]) }
        }
    }

    private mutating func wait(with piece: UnsafeRawBufferPointer) {
        after.append(piece)
        if after.count > Self.limitBytes { isTooLong = true }
    }

    private mutating func begin(_ bracket: UInt8) {
        (isInside, isFresh, scan) = (true, true, ValueScan())
        _ = scan.consume(bracket)
        held.append(bracket)
    }

    /// Decides with the first byte after a bracket whether a JSON value begins. If not, the bracket belongs to other
    /// text. Returns false if the byte must be read again.
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

    /// Ends the output and returns the result.
    package mutating func finish() -> Validation {
        while let waiting { settle(waiting.judged(by: parser)) }
        if let found { return .document(found) }
        if isTooLong { return .unfit("it is too long") }
        if isInside, !isFresh { return .unfit("it is not whole: the JSON has no end") }
        return .unfit(problem ?? "it holds no JSON object")
    }

    private mutating func validate() {
        isInside = false
        var text = ByteBuffer()
        if scan.hasControls { ValueScan.append(held.bytes, to: &text) } else { swap(&text, &held) }
        held.removeAll()
        let value = StructuredValue(text: Body(text), format: format)
        if value.text.bytes.count > WorkQueue.loopBytes { waiting = value } else { record(value.judged(by: parser)) }
    }

    private mutating func record(_ validation: StructuredValue.Validation) {
        switch validation {
        case .fits(let text): found = text
        case .misfit(let why): problem = why
        case .broken(let why): problem = problem ?? why
        }
    }

    /// Continues after a long value was validated.
    mutating func settle(_ validation: StructuredValue.Validation) {
        waiting = nil
        record(validation)
        var rest = ByteBuffer()
        swap(&rest, &after)
        consume(rest.bytes)
    }
}

/// A JSON value that may be the requested document.
struct StructuredValue: Sendable {
    enum Validation: Sendable {
        case fits(String)
        /// The value does not fit the schema. This reason is more helpful than that of `broken`.
        case misfit(String)
        case broken(String)
    }

    let text: Body
    let format: FormatProtocol

    /// Parses and validates the value. May be called on any thread.
    func judged(by parser: JSONParser = JSONParser()) -> Validation {
        let value: JSONValue
        do throws(JSONError) {
            value = try parser.parse(text.bytes)
        } catch {
            return .broken("it is not valid JSON")
        }
        return withExtendedLifetime(parser) {
            if let schema = format.schema {
                let validation = schema.validation(on: value, bytes: text.bytes.count)
                guard validation.fits else { return .misfit(validation.text) }
            } else if value.kind != .object {
                return .broken("it is not a JSON object")
            }
            return .fits(text.text)
        }
    }
}
