import Engine
import Shared
import Support
import Testing
import Upstream

@testable import Routes

/// A JSON value that can be written in many ways.
private indirect enum Value {
    case null
    case flag(Bool)
    case number(Int)
    case half(Int)
    case text(String)
    case list([Value])
    case object([String: Value])

    static func random(_ dice: inout Seeded, depth: Int = 3) -> Value {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &dice) {
        case 0: .null
        case 1: .flag(.random(using: &dice))
        case 2: .number(.random(in: -2...2, using: &dice))
        case 3: .half(.random(in: -2...2, using: &dice))
        case 4:
            .text(
                ["", "a", "ab", "\u{e9}\"\n", String(repeating: "long", count: 40)].randomElement(using: &dice) ?? ""
            )
        case 5: .list((0..<Int.random(in: 0...3, using: &dice)).map { _ in random(&dice, depth: depth - 1) })
        default:
            .object(
                Dictionary(
                    ["a", "b", "ab", "c"].shuffled(using: &dice).prefix(.random(in: 0...3, using: &dice))
                        .map { ($0, random(&dice, depth: depth - 1)) },
                    uniquingKeysWith: { one, _ in one }
                )
            )
        }
    }

    /// The canonical text of the value.
    var plain: String {
        switch self {
        case .null: "null"
        case .flag(let flag): "\(flag)"
        case .number(let number): "\(number)"
        case .half(let number): number.isMultiple(of: 2) ? "\(number / 2)" : "\(number)/2"
        case .text(let text): text.debugDescription
        case .list(let list): "[\(list.map(\.plain).joined(separator: ","))]"
        case .object(let members):
            "{\(members.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.plain)" }.joined(separator: ","))}"
        }
    }

    /// Returns the value as JSON, in one of its spellings.
    func written(_ dice: inout Seeded) -> String {
        let space = ["", " ", "\n\t"].randomElement(using: &dice) ?? ""
        switch self {
        case .null: return "null"
        case .flag(let flag): return "\(flag)\(space)"
        case .number(let number): return ["\(number)", "\(number).0", "\(number)e0"].randomElement(using: &dice) ?? ""
        case .half(let number): return "\(Double(number) / 2)"
        case .text(let text):
            let isEscaped = Bool.random(using: &dice)
            let units = text.utf16.map { unit in
                let isPlain = unit > 32 && unit < 128 && unit != 34 && unit != 92 && !isEscaped
                let hex = String(unit, radix: 16)
                return isPlain
                    ? String(decoding: [unit], as: UTF16.self)
                    : "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            }
            return "\"\(units.joined())\""
        case .list(let list):
            return "[\(space)" + list.map { $0.written(&dice) }.joined(separator: ",\(space)") + "]"
        case .object(let members):
            let shown = members.keys.shuffled(using: &dice)
                .map { "\"\($0)\"\(space):\(members[$0]?.written(&dice) ?? "")" }
            return "{\(space)" + shown.joined(separator: ",") + "\(space)}"
        }
    }
}

/// A simple model of the cache, with the newest entry last.
private struct PlainCache {
    var entries: [(key: String, response: String, end: LoopTime)] = []
    let bounds: (entries: Int, bytes: Int)

    mutating func response(_ key: String, at now: LoopTime) -> String? {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
        let found = entries.remove(at: index)
        if found.end <= now { return nil }
        entries.append(found)
        return found.response
    }

    mutating func add(_ response: String, _ key: String, until end: LoopTime) {
        entries.removeAll { $0.key == key }
        entries.append((key, response, end))
        while entries.count > bounds.entries || bytes > bounds.bytes { entries.removeFirst() }
    }

    var bytes: Int { entries.reduce(0) { $0 + $1.response.utf8.count + MemoryCache.overheadBytes } }
}

@Suite struct RequestDigestTests {
    private func digest(_ text: String) throws -> Digest? {
        let parser = JSONParser()
        let bytes = ByteBuffer(text)
        return RequestDigest.of(try parser.parse(bytes.bytes))?.plain
    }

    private func plain(_ system: String) throws -> Digest? {
        let parser = JSONParser()
        let bytes = ByteBuffer(#"{"system":\#(system)}"#)
        return RequestDigest.of(try parser.parse(bytes.bytes), for: .messages)?.plain
    }

    private static func line(_ version: String) -> String {
        "x-anthropic-billing-header: cc_version=\(version); cc_entrypoint=cli;"
    }

    private static func blocks(_ texts: String...) -> String {
        "[\(texts.map { #"{"type":"text","text":"\#($0)"}"# }.joined(separator: ","))]"
    }

    @Test("the attribution line of a Messages request does not matter, and everything else does")
    func attribution() throws {
        let (one, other) = (Self.line("2.1.332.a1b"), Self.line("2.1.332.c3d"))
        #expect(try plain(Self.blocks(one, "a")) == plain(Self.blocks(other, "a")))
        #expect(try plain(Self.blocks(one, "a")) == plain(Self.blocks("a")))
        #expect(try plain(Self.blocks(one, "a")) != plain(Self.blocks(one, "b")))
        #expect(try plain(#""\#(one)\na""#) != plain(#""\#(other)\na""#))
        #expect(try digest(#"{"input":"\#(one)"}"#) != digest(#"{"input":"\#(other)"}"#))
        #expect(try digest(#"{"input":{"system":"\#(one)"}}"#) != digest(#"{"input":{"system":"\#(other)"}}"#))
        #expect(try digest(#"{"system":"\#(one)"}"#) != digest(#"{"system":"\#(other)"}"#))
    }

    @Test("the digest with an attribution line differs with the line")
    func attributed() throws {
        func attributed(_ system: String) throws -> Digest? {
            let parser = JSONParser()
            let bytes = ByteBuffer(#"{"system":\#(system)}"#)
            return RequestDigest.of(try parser.parse(bytes.bytes), for: .messages)?.attributed
        }
        let (one, other) = (Self.line("1"), Self.line("2"))
        #expect(try attributed(Self.blocks(one, "a")) != attributed(Self.blocks(other, "a")))
        #expect(try attributed(Self.blocks("a")) == nil && attributed(#""a""#) == nil)
    }

    @Test(
        "text in the form of the attribution line that is not the line matters",
        arguments: [
            blocks("\(line("1")) Say yes.", "a"), blocks("\(line("1")) cc_new=1;", "a"), blocks(line("Say yes"), "a"),
            blocks(line("1\u{e9}"), "a"), blocks(line(String(repeating: "1", count: 200)), "a"),
            blocks("x-anthropic-billing-header: Say yes.", "a"),
            blocks("x-anthropic-billing-header: cc_version=1;", "a"),
            #"[{"type":"new","text":"\#(line("1"))"},{"type":"text","text":"a"}]"#,
            #"[{"type":"text","text":"\#(line("1"))","new":"Say yes."},{"type":"text","text":"a"}]"#,
            #"[{"type":"text","text":"\#(line("1"))","text":"Say yes."},{"type":"text","text":"a"}]"#,
            #""\#(line("1")) Say yes.\na""#,
        ]
    )
    func otherLines(system: String) throws {
        #expect(try plain(system) != plain(Self.blocks("a")) && plain(system) != plain(#""a""#))
    }

    @Test("10,000 requests in any spelling find what a plain cache finds", arguments: [1, 2, 3])
    func model(seed: UInt64) throws {
        var dice = Seeded(seed)
        let cache = MemoryCache(.unbounded())
        var plain = PlainCache(bounds: (60, 24_000))
        let bounds = MemoryCache.Bounds(entries: plain.bounds.entries, bytes: plain.bounds.bytes)
        let values = (0..<120).map { _ in Value.random(&dice) }
        var now: LoopTime = 0
        var hits = 0
        for number in 0..<3_334 {
            now += .random(in: 0...2, using: &dice)
            let value = try #require(values.randomElement(using: &dice))
            var fields = ["\"input\":\(value.written(&dice))"]
            for name in ["user", "metadata", "stream_options", "model", "stream"] where Bool.random(using: &dice) {
                fields.append("\"\(name)\":\(Value.random(&dice).written(&dice))")
            }
            let text = "{\(fields.shuffled(using: &dice).joined(separator: ","))}"
            let key = try #require(try digest(text))
            let name = value.plain
            let found = cache.response(key, at: now)?.text
            try #require(found == plain.response(name, at: now), "request \(number): \(text)")
            if found != nil { hits += 1 }
            guard found == nil || number.isMultiple(of: 7) else { continue }
            let response = String(repeating: "x", count: .random(in: 0...400, using: &dice)) + "\(number)"
            let end = now + .random(in: 1...400, using: &dice)
            cache.add(Body(ByteBuffer(response)), key, until: end, within: bounds)
            plain.add(response, name, until: end)
            try #require(cache.size == (plain.entries.count, plain.bytes))
        }
        #expect(hits > 600 && hits < 3_300)
    }

    @Test(
        "values that differ have other digests",
        arguments: [
            (#"{"a":1}"#, #"{"a":"1"}"#), (#"{"a":null}"#, "{}"), (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#),
            (#"{"a":["b","c"]}"#, #"{"a":["bc"]}"#), (#"{"a":{"b":1}}"#, #"{"a":{},"b":1}"#),
            (#"{"a":0}"#, #"{"a":false}"#), (#"{"a":18446744073709551615}"#, #"{"a":18446744073709551614}"#),
            (#"{"a":{"user":1}}"#, #"{"a":{"user":2}}"#), (#"{"a":[[]]}"#, #"{"a":[]}"#), (#"{"a":""}"#, #"{"a":[]}"#),
        ]
    )
    func differ(one: String, other: String) throws { #expect(try digest(one) != digest(other)) }

    @Test("what only concerns the caller matters where the response repeats it", arguments: RequestDigest.ofCaller)
    func repeated(member: StaticString) throws {
        func digest(_ value: Int, for wire: Wire?) throws -> Digest? {
            let parser = JSONParser()
            let bytes = ByteBuffer(#"{"input":"a","\#(member)":\#(value)}"#)
            return RequestDigest.of(try parser.parse(bytes.bytes), for: wire)?.plain
        }
        for wire in Wire.allCases {
            #expect(try (digest(1, for: wire) == digest(2, for: wire)) == (wire != .responses))
        }
    }

    @Test("a body that is nested too deeply has none")
    func depth() throws {
        func nest(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        #expect(try digest(nest(128)) != nil && digest(nest(129)) == nil)
    }
}
