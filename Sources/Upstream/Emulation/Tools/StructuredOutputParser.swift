import Engine
import Shared

/// A parser that finds the first JSON value of the demanded format in a text that arrives in chunks.
package struct StructuredOutputParser: ~Copyable {
    package enum Validation: Sendable, Equatable {
        /// The structured output that was found: the JSON as the model wrote it.
        case document(String)
        /// The reason why no JSON value in the text fits the demanded format, in words for the model.
        case unfit(String)
    }

    private let format: FormatProtocol
    private let parser = JSONParser()
    /// The bytes of the JSON value that is being read, from its beginning.
    private var held = ByteBuffer()
    private var scan = ValueScan()
    private var isInside = false
    private var found: String?
    private var problem: String?
    /// Whether only an opening bracket and white space of the JSON value in `held` have arrived.
    private var isFresh = false
    private var isTooLong = false
    /// The long JSON value that waits for validation; nil if there is none.
    private var waiting: StructuredValue?
    private var after = ByteBuffer()

    package static let limitBytes = 4 * 1_048_576

    package init(_ format: FormatProtocol) { self.format = format }

    var heldBytes: Int { held.count + (found?.utf8.count ?? 0) + (waiting?.text.bytes.count ?? 0) + after.count }

    /// The long JSON value that the owner of the parser must validate; nil if there is none. Pass the result to
    /// `settle`.
    var unjudged: StructuredValue? { waiting }

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

    /// Checks whether a JSON value begins, by a byte after its opening bracket. Returns false if it did not consume
    /// the byte.
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

    /// Ends the text. Returns the structured output, or the reason why there is none.
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

    /// Receives the result of validating a long JSON value, and continues with the text after the value.
    mutating func settle(_ validation: StructuredValue.Validation) {
        waiting = nil
        record(validation)
        var rest = ByteBuffer()
        swap(&rest, &after)
        consume(rest.bytes)
    }
}

/// A JSON value in the model's output that might be the requested structured output.
struct StructuredValue: Sendable {
    enum Validation: Sendable {
        case fits(String)
        /// The reason why valid JSON does not fit the schema, in words for the model.
        case misfit(String)
        case broken(String)
    }

    let text: Body
    let format: FormatProtocol

    /// Parses and validates the JSON value. Any thread may call it.
    func judged(by parser: JSONParser = JSONParser()) -> Validation {
        guard let value = try? parser.parse(text.bytes) else { return .broken("it is not valid JSON") }
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
