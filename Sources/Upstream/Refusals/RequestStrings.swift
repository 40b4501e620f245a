import Engine

/// The strings of a request's JSON: names and values, in their order.
struct RequestStrings {
    /// A byte in place of a character that cannot be compared: half of a surrogate pair.
    private static let unknown: UInt8 = 0xff

    private let json: UnsafeRawBufferPointer
    private var offset = 0
    /// The bytes of strings that may still be read.
    private var left: Int
    /// Whether all strings were read.
    var isComplete: Bool { left >= 0 }
    /// The string that was read last, without escapes.
    private(set) var text: [UInt8] = []
    /// The name of the last member.
    private var name: [UInt8] = []

    /// - Parameter json: must be valid.
    init(_ json: UnsafeRawBufferPointer, limitBytes: Int = .max) {
        self.json = json
        left = limitBytes
    }

    /// Whether the last string is a value that the caller chose, not a name or a word of the API.
    var isOfCaller: Bool { !isName && !Self.choices.contains(String(decoding: name, as: UTF8.self)) }

    /// The names of members whose values are words of the API.
    private static let choices: Set = [
        "role", "type", "model", "tool_choice", "reasoning_effort", "effort", "service_tier", "verbosity", "detail",
    ]

    /// Whether the last string is a name in each tool or schema.
    var isOfSchemas: Bool { isName && Self.ofSchemas.contains(String(decoding: text, as: UTF8.self)) }

    private static let ofSchemas: Set = [
        "type", "function", "name", "description", "parameters", "input_schema", "strict", "format", "schema",
        "effort", "verbosity", "cache_control",
    ]

    /// Whether the last string is the name of a member.
    private(set) var isName = false

    /// Reads the next string. Returns false at the end. The data of a file is left out, as it repeats no words.
    mutating func next() -> Bool {
        if isName { name = text }
        text.removeAll(keepingCapacity: true)
        guard left >= 0, let start = json[part: offset..<json.count].first(UInt8(ascii: "\"")) else { return false }
        offset += start + 1
        let end = JSONShape.endOfString(in: json, after: offset)
        if json[part: offset..<end].hasPrefix("data:") {
            offset = min(json.count, end + 1)
            isName = false
            return true
        }
        let content = json[part: offset..<offset + min(end - offset, left)]
        left -= end - offset
        offset = min(json.count, end + 1)
        isName = json[part: offset..<json.count].first { $0 > 32 } == UInt8(ascii: ":")
        if content.first(UInt8(ascii: "\\")) == nil { text += content } else { decode(content) }
        return true
    }

    private mutating func decode(_ content: UnsafeRawBufferPointer) {
        var index = 0
        while index < content.count {
            let byte = content[index]
            index += 1
            guard byte == UInt8(ascii: "\\"), index < content.count else {
                text.append(byte)
                continue
            }
            let escaped = content[index]
            index += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "b"): text.append(8)
            case UInt8(ascii: "f"): text.append(12)
            case UInt8(ascii: "u"):
                let digits = content[part: index..<min(content.count, index + 4)]
                index += digits.count
                let scalar = UInt32(digits.text, radix: 16).flatMap(Unicode.Scalar.init)
                text += scalar.map { Array(String(Character($0)).utf8) } ?? [Self.unknown]
            default: text.append(escaped)
            }
        }
    }
}
