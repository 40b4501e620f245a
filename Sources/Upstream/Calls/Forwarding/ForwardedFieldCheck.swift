package import Engine
package import Shared

/// A check that rejects forbidden fields of a request that is forwarded unchanged.
///
/// Forbidden fields select another model, server or account, or request more than the relay counts.
package struct ForwardedFieldCheck: Sendable {
    /// The names of the allowed routing fields, which select a model or server; nil if all are allowed.
    private let allowed: [String]?
    private let choices: Int
    private let maxTokens: Int?

    /// - Parameters:
    ///   - choices: the maximum number of completions that a field can request.
    ///   - maxTokens: the maximum number of tokens that a field can request; nil if there is none.
    package init(allowing allowed: [String], isCallersKey: Bool, choices: Int = 1, maxTokens: Int? = nil) {
        self.allowed = isCallersKey ? nil : allowed
        self.choices = choices
        self.maxTokens = maxTokens
    }

    /// Returns the error for the first forbidden field among a request's members; nil if there is none.
    package func refusal(of members: [RawJSON.Member]) -> APIError? { refusal(of: members, within: "", depth: 0) }

    private static let maxDepth = 8

    private func refusal(of members: some Sequence<RawJSON.Member>, within path: String, depth: Int) -> APIError? {
        for member in members {
            let known = Field(member.name) ?? Field(byWordsOf: member.name)
            guard let field = known ?? (depth > 0 ? Field(inContainer: member.name) : nil) else { continue }
            let name = path + field.name
            switch field {
            case .container:
                if member.value.isNull { continue }
                guard member.value.isObject, depth < Self.maxDepth else { return .type(name, "an object") }
                let inner = refusal(of: member.value.members, within: name + ".", depth: depth + 1)
                if let inner { return inner }
            case .count: if !Self.isWithin(choices, member.value) { return Self.tooMany(name) }
            case .bound(let bound):
                if let maxTokens, !passes(bound), !Self.isWithin(maxTokens, member.value) {
                    return .unsupported(name, "'\(name)' must not be larger than 'max_tokens'. Remove '\(name)'.")
                }
            case .outer:
                if !passes(name), !member.value.isNull {
                    let why = "'\(name)' is not supported. Send '\(field.name)' outside '\(path.dropLast())'."
                    return .unsupported(name, why)
                }
            case .routing(let routing): if !passes(routing) { return Self.routing(name) }
            }
        }
        return nil
    }

    /// Returns the error for a form field of this name; nil if the field is allowed.
    func refusal(ofFormField name: String) -> APIError? {
        switch name.withBytes({ Field($0) ?? Field(byWordsOf: $0.withoutIndex) }) {
        case nil, .bound, .outer: nil
        case .container(let name): allowed == nil ? nil : Self.routing(name)
        case .count(let name): Self.tooMany(name)
        case .routing(let name): passes(name) ? nil : Self.routing(name)
        }
    }

    private func passes(_ name: String) -> Bool { allowed?.contains(name) ?? true }

    private static func isWithin(_ most: Int, _ value: RawJSON) -> Bool {
        value.isNull || value.bytes.count <= 9 && (Int(value.bytes.text).map { 0...max(0, most) ~= $0 } ?? false)
    }

    private static func tooMany(_ name: String) -> APIError {
        .unsupported(name, "'\(name)' must not request more completions than 'n'. Remove '\(name)'.")
    }

    private static func routing(_ name: String) -> APIError {
        let why =
            "'\(name)' is not supported: it may choose another model, or data of another caller. Remove '\(name)'."
        return .unsupported(name, why)
    }
}

/// The kinds of request fields that the relay checks before it forwards a request.
private enum Field {
    /// A field whose members count as fields of the request.
    case container(String)
    /// A field that sets the number of completions. The value is the field's name, such as `best_of`.
    case count(String)
    /// A field that sets the number of tokens, such as `n_predict`, which some servers prefer to `max_tokens`.
    case bound(String)
    /// A field that the relay reads only outside containers.
    case outer(String)
    case routing(String)

    var name: String {
        switch self {
        case .container(let name), .count(let name), .bound(let name), .outer(let name), .routing(let name): name
        }
    }

    /// The fields that would make a vendor use another model, server or account, or what another caller has stored.
    private static let routing = [
        "models", "route", "preset", "fallbacks", "context_window_fallbacks", "engine", "deployment", "deployment_id",
        "deployment_name", "user_config", "router_settings_override", "model_group_alias", "api_base", "base_url",
        "custom_llm_provider", "litellm_credential_name", "cached_content", "data_sources", "vector_store_ids",
    ]
    private static let known =
        named(["extra_body", "google"], Field.container) + named(["best_of", "num_choices", "n_cmpl"], Field.count)
        + named(["n_predict", "num_predict", "max_new_tokens"], Field.bound) + named(routing, Field.routing)
    /// The fields that are checked in containers only.
    private static let inner =
        named(["n"], Field.count) + named(["max_tokens", "max_completion_tokens", "max_output_tokens"], Field.bound)
        + named(
            [
                "messages", "input", "prompt", "tools", "functions", "file_ids", "service_tier", "speed",
                "inference_geo",
            ],
            Field.outer
        )
    /// The first three letters (the first in the highest byte) and the length of each checked field's name.
    private static let knownBeginnings: [(letters: UInt32, length: Int)] =
        known.map { (beginning(of: $0.letters.prefix(3)), $0.letters.count) }
    /// The first letters of all checked fields, as a set of bits. Bit 0 stands for `a`.
    private static let firstLetters = known.reduce(UInt32(0)) { $0 | bit(of: $1.letters[0]) }
    private static let maxLetters = known.reduce(0) { max($0, $1.letters.count) }

    private static func named(_ names: [String], _ field: (String) -> Field) -> [(letters: [UInt8], field: Field)] {
        names.map { name in (name.utf8.filter { $0 != UInt8(ascii: "_") }, field(name)) }
    }

    /// Returns a number with only a lower-case letter's bit set; 0 for any other byte.
    private static func bit(of letter: UInt8) -> UInt32 { 0x61...0x7a ~= letter ? 1 << UInt32(letter - 0x61) : 0 }

    private static func beginning(of letters: some Sequence<UInt8>) -> UInt32 {
        letters.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Creates the field with a name in any spelling, such as `Extra-Body`; nil if the field is not checked.
    /// - Parameter name: the name as written in the request, including any JSON escapes.
    init?(_ name: UnsafeRawBufferPointer) {
        // Most fields begin with another letter, plainly written.
        if let first = name.first, case let bit = Self.bit(of: first), bit != 0, Self.firstLetters & bit == 0 {
            return nil
        }
        var letters = FoldedName(name)
        var beginning: UInt32 = 0
        for _ in 0..<3 {
            guard let letter = letters.next() else { return nil }
            beginning = beginning << 8 | UInt32(letter)
        }
        guard Self.knownBeginnings.contains(where: { $0.letters == beginning && $0.length <= name.count }),
            !name.equals("max_completion_tokens")
        else { return nil }
        self.init(of: FoldedName(name), among: Self.known)
    }

    /// Creates the field with a name within a container; nil if the field is not checked there only.
    init?(inContainer name: UnsafeRawBufferPointer) { self.init(of: FoldedName(name), among: Self.inner) }

    /// Creates the field of a name that chooses models by its words, such as `fallback_models`; nil for other names.
    init?(byWordsOf name: UnsafeRawBufferPointer) {
        guard !name.equals("model"), name.isNameOfModel || name.count < 100 && name.isNameOfFallbacks,
            // The relay reads such a name as `model`, or leaves it out.
            !IteratorSequence(FoldedName(name)).elementsEqual("model".utf8)
        else { return nil }
        self = .routing(name[part: 0..<min(100, name.count)].text)
    }

    @inline(never)
    private init?(of name: FoldedName, among fields: [(letters: [UInt8], field: Field)]) {
        let letters = Array(IteratorSequence(name).prefix(Self.maxLetters + 1))
        guard let found = fields.first(where: { $0.letters == letters }) else { return nil }
        self = found.field
    }
}

extension UnsafeRawBufferPointer {
    /// The name of a form's field without what follows in brackets.
    var withoutIndex: UnsafeRawBufferPointer { self[part: 0..<(first(UInt8(ascii: "[")) ?? count)] }

    /// Whether a form's field with this name, such as `svg[model]`, names other models than `model` does.
    var isNameOfInnerModel: Bool {
        !equals("model")
            && split { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }
                .contains { UnsafeRawBufferPointer(rebasing: $0).isNameOfModel }
    }

    /// Whether a member with this name, in any spelling, names models: whether it is or ends in `model` or one of its like.
    var isNameOfModel: Bool {
        guard count >= 5, let last, Self.mayEndName(last) else { return false }
        let letters = LastLetters(FoldedName(self))
        return Self.endings.contains { letters.end(with: $0) }
    }

    private static let endings = ["model", "models", "modelname", "modelnames", "modelid", "modelids"]
        .map { LastLetters($0.utf8.makeIterator()) }

    /// Whether a name with this last byte may end in `l`, `s`, `e` or `d`, also by an escape or with a separator after it.
    private static func mayEndName(_ last: UInt8) -> Bool {
        switch last | 32 {
        case UInt8(ascii: "l"), UInt8(ascii: "s"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        case UInt8(ascii: "g")...UInt8(ascii: "z"): false
        default: true
        }
    }

    /// Whether a member with this name, at any depth of an unknown field, names models that a server may use.
    var choosesModels: Bool { isNameOfModel || isNameOfFallbacks || isRead(as: "modelgroupalias") }

    /// Whether a member with this name, such as `video_url`, has a URL.
    var isNameOfURL: Bool { count <= 100 && LastLetters(FoldedName(self)).end(with: Self.url) }

    private static let url = LastLetters("url".utf8.makeIterator())

    /// Whether the JSON string with this content begins with one of these schemes, in any case.
    func begins(with schemes: [String]) -> Bool {
        let url = string?.lowercased() ?? ""
        return schemes.contains { url.utf8.starts(with: $0.utf8) }
    }

    /// Whether the letters of the name contain `fallback`.
    fileprivate var isNameOfFallbacks: Bool {
        guard count >= 8, contains(where: { $0 | 32 == UInt8(ascii: "k") || $0 >= 128 || $0 == UInt8(ascii: "\\") })
        else { return false }
        var letters = LastLetters()
        return IteratorSequence(FoldedName(self)).contains {
            letters.append($0)
            return letters.end(with: Self.fallback)
        }
    }

    private static let fallback = LastLetters("fallback".utf8.makeIterator())

    /// Whether a member with this name has the id of a resource of an account, such as `file_id`, or several.
    /// - Parameter parent: the name of the object with the member; nil if it has none.
    func isNameOfResource(in parent: UnsafeRawBufferPointer?) -> Bool {
        guard count >= 2, count <= 100 else { return false }
        let letters = Array(IteratorSequence(FoldedName(self)))
        if letters.elementsEqual("id".utf8) { return parent?.isRead(as: "container") ?? false }
        return Self.resources.contains { letters.elementsEqual($0.utf8) }
    }

    /// Whether the most lenient decoders read the name as this one, of letters alone.
    func isRead(as name: String) -> Bool {
        count <= 100 && IteratorSequence(FoldedName(self)).elementsEqual(name.utf8)
    }

    private static let resources =
        [
            "file", "container", "vectorstore", "vectordb", "skill", "connector", "collection", "library", "knowledge",
            "knowledgebase",
        ].flatMap { ["\($0)id", "\($0)ids"] } + ["container"]

    /// The text of a JSON string with this content; nil if its escapes are invalid.
    var string: String? {
        guard first(UInt8(ascii: "\\")) != nil else { return text }
        guard let start = baseAddress else { return nil }
        return JSONParser.read(UnsafeRawBufferPointer(start: start - 1, count: count + 2)) { $0.string } ?? nil
    }
}

extension RawJSON.Member {
    /// Whether this member of a tool names an MCP server of the provider's own: one without a URL.
    var isServerOfProvider: Bool {
        guard name.isRead(as: "serverurl"), let content = value.content else { return false }
        return !content.begins(with: ["http://", "https://"])
    }
}

/// The last twelve letters of a name.
private struct LastLetters {
    /// Five bits for each letter, the last one in the lowest bits. 31 stands for any byte that is no lower-case letter.
    private var bits: UInt64 = 0
    /// The bits of the letters that have been appended.
    private var mask: UInt64 = 0

    init() {}

    init(_ letters: some IteratorProtocol<UInt8>) { for letter in IteratorSequence(letters) { append(letter) } }

    mutating func append(_ letter: UInt8) {
        bits = bits << 5 | UInt64(0x61...0x7a ~= letter ? letter - 0x60 : 31)
        mask = mask << 5 | 31
    }

    /// Whether the last of these letters are those of a word of at most twelve letters.
    func end(with word: LastLetters) -> Bool { bits & word.mask == word.bits }
}

/// The letters of a field's name as the most lenient decoders read them: `extrabody` for the name `Extra-Body`.
private struct FoldedName: IteratorProtocol {
    private let name: UnsafeRawBufferPointer
    private var index = 0

    init(_ name: UnsafeRawBufferPointer) { self.name = name }

    mutating func next() -> UInt8? {
        while index < name.count {
            switch scalar() {
            case 0, 0x5b:
                index = name.count
                return nil
            // White space and word separators.
            case 9...13, 0x20, 0x2d, 0x2e, 0x5f, 0xa0, 0xfeff: continue
            case 0x17f: return UInt8(ascii: "s")
            case 0x212a: return UInt8(ascii: "k")
            case let letter where 0x41...0x5a ~= letter: return UInt8(letter) | 32
            case let letter where letter < 0x80: return UInt8(letter)
            // Full-width forms of ASCII, which some decoders normalize.
            case let letter where 0xff21...0xff3a ~= letter: return UInt8(letter - 0xff21 + 0x61)
            case let letter where 0xff41...0xff5a ~= letter: return UInt8(letter - 0xff41 + 0x61)
            case 0xff3f: continue
            default: return 0xff
            }
        }
        return nil
    }

    /// Reads the next Unicode scalar of the name, which must be valid UTF-8.
    private mutating func scalar() -> Int {
        let byte = name[index]
        index += 1
        if byte == UInt8(ascii: "\\"), index < name.count { return escape() }
        guard byte >= 0xc0 else { return Int(byte) }
        let more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1
        var scalar = Int(byte) & (0x3f >> more)
        for _ in 0..<more where index < name.count {
            scalar = scalar << 6 | Int(name[index] & 0x3f)
            index += 1
        }
        return scalar
    }

    private mutating func escape() -> Int {
        let kind = name[index]
        index += 1
        guard kind == UInt8(ascii: "u") else { return "bfnrt".utf8.contains(kind) ? 0x20 : Int(kind) }
        var scalar = 0
        for _ in 0..<4 where index < name.count {
            let digit = name[index]
            scalar = scalar << 4 | (digit <= 57 ? Int(digit) - 48 : (Int(digit) | 32) - 87)
            index += 1
        }
        return scalar
    }
}
