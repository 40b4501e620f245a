import Engine

/// The strings of a request's JSON: names and values, in their order.
struct RequestStrings: Sequence, IteratorProtocol {
    private let json: UnsafeRawBufferPointer
    private var offset = 0
    /// The name of the last member.
    private var name = UnsafeRawBufferPointer(start: nil, count: 0)

    /// - Parameter json: must be valid.
    init(_ json: UnsafeRawBufferPointer) { self.json = json }

    mutating func next() -> RequestString? {
        guard let start = json[part: offset..<json.count].first(UInt8(ascii: "\"")) else { return nil }
        let begin = offset + start + 1
        let content = json[part: begin..<JSONShape.endOfString(in: json, after: begin)]
        offset = Swift.min(json.count, begin + content.count + 1)
        let isName = json[part: offset..<json.count].first { $0 > 32 } == UInt8(ascii: ":")
        if isName { name = content }
        return RequestString(content: content, isName: isName, member: name)
    }
}

/// A name or a value in a request's JSON.
struct RequestString {
    /// The string as it is written between its quotes.
    let content: UnsafeRawBufferPointer
    /// Whether the string is the name of a member.
    let isName: Bool
    /// The name of the member that the string belongs to.
    fileprivate let member: UnsafeRawBufferPointer

    /// The string as it is compared; nil if it is long or has no words.
    var phrase: [UInt8]? {
        // An escape has six bytes at most.
        guard content.count <= 6 * ComparedText.phraseBytes else { return nil }
        let phrase = ComparedText.bytes(of: content)
        return phrase.isEmpty ? nil : phrase
    }

    /// Whether the string is the data of a file, which repeats no words.
    var isFile: Bool { !isName && content.hasPrefix("data:") }

    /// Whether the string is a value that the caller chose, not a name or a word of the API.
    var isOfCaller: Bool { !isName && !member.isAny(of: Self.choices) }

    /// The names of members whose values are words of the API.
    private static let choices: [StaticString] = [
        "role", "type", "model", "tool_choice", "reasoning_effort", "effort", "service_tier", "verbosity", "detail",
    ]

    /// Whether the string is a name in each tool or schema.
    var isOfSchemas: Bool { isName && content.isAny(of: Self.ofSchemas) }

    private static let ofSchemas: [StaticString] = [
        "type", "function", "name", "description", "parameters", "input_schema", "strict", "format", "schema",
        "effort", "verbosity", "cache_control",
    ]
}
