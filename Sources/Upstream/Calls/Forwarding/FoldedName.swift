import Engine

/// The meaning of fields' names, in whichever spelling a server may read them.
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
    var isNameOfFallbacks: Bool {
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
struct FoldedName: IteratorProtocol {
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
