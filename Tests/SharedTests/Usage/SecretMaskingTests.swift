import Engine
import Testing

@testable import Shared

@Suite struct SecretMaskingTests {
    /// The forms in which a body can contain a key.
    enum Form: CaseIterable {
        case plain
        case escapedSlash
        case oneEscape
        case allEscapes
        case jsonInString
        case jsonTwiceInString
        case query
        case queryInQuery
        case headerText
        case memberName
        case behindOthers
        case events
    }

    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/".utf8)
    private static let limit = 600

    /// Returns a new key. One that the relay does not know begins like a vendor's keys, and has no slash.
    private func newKey(_ chance: inout some RandomNumberGenerator, isKnown: Bool = true) -> String {
        let length = Int.random(in: 24...90, using: &chance)
        let letters = isKnown ? Self.letters : Self.letters.dropLast()
        let bytes = (0..<length).map { _ in letters.randomElement(using: &chance) ?? 0 }
        return (isKnown ? "k-" : "sk-") + String(decoding: bytes, as: UTF8.self)
    }

    /// Returns the content of a JSON string, with `\/` for a slash and with `escaped` characters as `\u` escapes.
    private func json(_ text: String, escaped: (Character) -> Bool = { _ in false }) -> String {
        text.map { character in
            let code = character.unicodeScalars.first?.value ?? 0
            if escaped(character) { return "\\u00" + (code < 16 ? "0" : "") + String(code, radix: 16) }
            return switch character {
            case "\"", "\\", "/": "\\\(character)"
            case "\n": "\\n"
            default: String(character)
            }
        }
        .joined()
    }

    private func percent(_ text: String) -> String {
        text.map { "/%-".contains($0) ? "%" + String($0.asciiValue ?? 0, radix: 16).uppercased() : String($0) }.joined()
    }

    private func body(_ form: Form, _ key: String, _ others: [String], _ filler: String) -> String {
        let text =
            switch form {
            case .plain: "\(filler) \(key)"
            case .escapedSlash: "\(filler) \(json(key))"
            case .oneEscape: "\(filler) \(json(key) { $0 == "-" })"
            case .allEscapes: "\(filler) \(json(key) { _ in true })"
            case .jsonInString: json(#"{"a": "\#(filler)","b":"\#(json(key))"}"#)
            case .jsonTwiceInString: json(json(#"{"a": "\#(filler)","b":"\#(json(key) { $0 == "_" })"}"#))
            case .query: "https://example.org/\(filler)?key=\(percent(key))&a=b"
            case .queryInQuery: "https://example.org/\(filler)?to=\(percent("/a?key=" + percent(key)))&a=b"
            case .headerText: json("Host: \(filler)\nX-Key: \(key)\nAuthorization: Bearer \(key)\n\n")
            case .memberName: #"{"content":"\#(filler)","\#(key)":1}"#
            case .behindOthers: others.joined(separator: " ") + filler + " " + key
            case .events: filler + key
            }
        return form == .memberName ? text : #"{"messages":[{"role":"user","content":"\#(text)"}],"n":1}"#
    }

    /// Returns the longest part of the key, at most five bytes, that the text contains.
    private func shownBytes(of key: String, in text: String) -> Int {
        // An independent reader of escapes: wherever a key is, its characters follow each other.
        var plain = text
        for _ in 0..<3 {
            plain = plain.replacing(/\\*u00([0-9a-f]{2})/) {
                UInt8($0.1, radix: 16).map { String(UnicodeScalar($0)) } ?? ""
            }
            plain = plain.replacing(/%([0-9A-F]{2})/) { UInt8($0.1, radix: 16).map { String(UnicodeScalar($0)) } ?? "" }
        }
        plain.removeAll { $0 == "\\" }
        let (bytes, key) = (Array(plain.utf8), Array(key.utf8))
        let parts = Set((0...(key.count - 5)).map { Array(key[$0..<($0 + 5)]) })
        guard bytes.count >= 5 else { return 0 }
        return (0...(bytes.count - 5)).contains { parts.contains(Array(bytes[$0..<($0 + 5)])) } ? 5 : 4
    }

    private func record(_ form: Form, _ body: String, _ text: BodyText, piece: Int) -> String {
        guard form == .events else { return text.masked(body.withBytes(text.excerpt)) }
        var events = EventText(text)
        var rest = body[...]
        while !rest.isEmpty {
            let content = rest.prefix(piece)
            rest = rest.dropFirst(piece)
            let line = #"data: {"choices":[{"delta":{"content":"\#(content)"}}]}"# + "\n\n"
            line.withBytes { events.add($0) }
        }
        return text.masked(events.excerpt, ending: events.ending)
    }

    @Test("a record shows at most four characters of a key, in any form and cut anywhere", arguments: Form.allCases)
    func keysAreMasked(form: Form) {
        var chance = SystemRandomNumberGenerator()
        for round in 0..<6 {
            let others = (0..<10).map { _ in newKey(&chance) }
            let key = newKey(&chance, isKnown: round < 3)
            let text = BodyText(limitBytes: Self.limit, hiding: SecretFinder(round < 3 ? others + [key] : others))
            for _ in 0..<12 {
                // The key is at the beginning, at the record's limit, or at the end of what is read of the body.
                let length = [0, Self.limit - 60, Self.limit + 4_000].randomElement(using: &chance) ?? 0
                let filler = String(repeating: ".", count: length + Int.random(in: 0..<100, using: &chance)) + " "
                let whole = form == .events ? filler + key : body(form, key, others, filler)
                let most = Int.random(in: 0...120, using: &chance)
                for cut in [whole, String(whole.prefix(max(0, whole.count - most)))] {
                    let record = record(form, cut, text, piece: Int.random(in: 1...9, using: &chance))
                    #expect(shownBytes(of: key, in: record) < 5, "\(form): \(key) in \(cut): \(record)")
                    #expect(record.utf8.count <= Self.limit)
                }
            }
        }
    }

    @Test("all secrets are found, also those that overlap or are parts of others")
    func findsAll() {
        var chance = SystemRandomNumberGenerator()
        func word(_ lengths: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: lengths, using: &chance)).map { _ in UInt8.random(in: 97...98, using: &chance) }
        }
        for _ in 0..<300 {
            let secrets = (0..<4).map { _ in word(2...6) }
            let text = word(0...60)
            var expected = Set<Int>()
            for secret in secrets {
                for start in text.indices where text[start...].starts(with: secret) {
                    expected.formUnion(start..<(start + secret.count))
                }
            }
            let found = SecretFinder(bytes: secrets).ranges(in: text)
            #expect(Set(found.joined()) == expected, "\(secrets) in \(text)")
        }
    }

    @Test("values of members with secret names are masked, also in strings that contain JSON")
    func namedValues() {
        func masked(_ text: String) -> String {
            let maker = BodyText(limitBytes: 10_000, hiding: SecretFinder([]))
            return maker.masked(text.withBytes(maker.excerpt))
        }
        let inner = #"{"a": [1, "b:\""], "password" : "hunter2 \"\\", "token":["t","u"], "author":"A","n":"x"}"#
        // Backslashes before a quote belong to the quote.
        let hidden = #"{"a": [1, "b:\""], "password" : "***\\", "token":["***","***"], "author":"A","n":"x"}"#
        #expect(masked(inner) == hidden)
        #expect(masked(#"{"arguments":"\#(json(inner))"}"#) == #"{"arguments":"\#(json(hidden))"}"#)
        #expect(masked(#"{"arguments":"\#(json(json(inner)))"}"#) == #"{"arguments":"\#(json(json(hidden)))"}"#)
        let escaped = #"{"a":"{\u0022api\u005fkey\u0022:\u0022hunter2\u0022}"}"#
        #expect(masked(escaped) == #"{"a":"{\u0022api\u005fkey\u0022:\u0022***\u0022}"}"#)
        #expect(masked(#"{"a":"5\" wide, {\"password\":\"hunter2"#) == #"{"a":"5\" wide, {\"password\":\"***"#)
        #expect(masked(#"{"password":"ab%22cd","b":"100%"}"#) == #"{"password":"***","b":"100%"}"#)
    }

    @Test("the time to mask is linear in the text, and the number of secrets does not count")
    func isLinear() {
        // Secrets with a common beginning, and texts that almost contain them.
        let secrets = (0..<1_000).map { "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\($0)b" }
        let texts = [
            "sk-", "a", "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", #"\"#, #"\u005c"#, "%25", #""password":""#, #"\"a\":"#,
            #"" "#, #"\"password\":[\"a\","#, "word ",
        ]
        let finders = [1, 100, 1_000].map { SecretFinder(Array(secrets.prefix($0))) }
        for text in texts {
            let steps = finders.flatMap { finder in
                [10_000, 20_000].map { bytes in
                    let body = Array(String(repeating: text, count: bytes / text.utf8.count).utf8)
                    return Double(StepCount.of { _ = SecretMasker.masked(body, [finder]) }) / Double(body.count)
                }
            }
            #expect(steps.allSatisfy { $0 > 0 && $0 < 8 }, "\(text): \(steps)")
        }
    }
}
