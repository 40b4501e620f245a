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
