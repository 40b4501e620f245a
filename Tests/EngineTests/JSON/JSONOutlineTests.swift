import Support
import Testing

@testable import Engine

@Suite struct JSONOutlineTests {
    private let parser = JSONParser()

    /// A request with plain tools, in which single parts are changed.
    private static let request = [
        "\u{feff} { ", #""model""#, ":", #""gpt""#, " ,\n", #""tools""#, " : ", "[",
        #"{"type":"function","#, #""function""#, ":",
        #"{"name":"#, #""get_1-A""#, #","description":"#, #""a \"b\" \\ \u00e4 \ud83d\ude00""#, #","parameters":"#,
        #"{"type":"object","a":[1,-2.5,true,null,[],{}],"b":{"c":[{"d":"]"}]}}"#, #","strict":"#, "false", "}", "}",
        #",{"function":{"name":"b"},"type":"function","more":[0]}"#, "]", ",", #""messages":"#,
        #"[{"role":"user","content":"hi"}]"#, ",", #""seed":"#, " 5 ", "}", "\n",
    ]
    private static let others = [
        "", " ", "[", "]", "{", "}", ",", ":", "\"", "\"\"", "\"x\"", "5", "-", "01", "1e9", "1.", "truex", "nul",
        "12\"\"", "[]", "{}", "{\"a\"}", "[1,]", "[[]", #""\x""#, #""\u12g4""#, #""\ud83d""#, #""\udc00""#, "\"\u{1}\"",
        "\\", #""cache_control":{},"#, #""typ\u0065":1,"#,
        "1234567890123456789", "99999999999999999999",
    ]

    /// Reads a text in two steps, without its plain tools if `leaves`.
    private func outlined(_ text: borrowing ByteBuffer, leaves: Bool) -> (outline: [String], isValid: Bool) {
        guard (try? parser.begin(text.bytes)) != nil else { return ([], false) }
        let outline = parser.outline()
        let members = outline?.members.map { "\($0.raw.name.text) \($0.raw.value.bytes.text)" } ?? []
        let tools = outline?["tools"]
        if leaves, let tools { parser.leaveOut(tools) }
        return (members, (try? parser.finish()) != nil)
    }

    private func check(_ text: String, _ comment: String) {
        let buffer = ByteBuffer(text)
        let isValid = (try? JSONParser().parse(buffer.bytes)) != nil
        let (whole, left) = (outlined(buffer, leaves: false), outlined(buffer, leaves: true))
        #expect(whole.isValid == isValid && left.isValid == isValid, "\(comment): \(text)")
        guard isValid, !whole.outline.isEmpty else { return }
        let members = RawJSON(buffer.bytes).members.map { "\($0.name.text) \($0.value.bytes.text)" }
        #expect(whole.outline == members && left.outline == members, "\(comment): \(text)")
    }

    @Test("members, levels and plain tools")
    func members() throws {
        let text = ByteBuffer(Self.request.joined())
        _ = try parser.begin(text.bytes)
        let outline = try #require(parser.outline())
        #expect(outline.members.map(\.raw.name.text) == ["model", "tools", "messages", "seed"])
        #expect(outline.members.map(\.levels) == [0, 0, 2, 0] && outline.members.map(\.plainTools) == [0, 2, 0, 0])
        parser.leaveOut(try #require(outline["tools"]))
        let root = try parser.finish()
        #expect(root["tools"]?.elements?.map(\.kind) == [] && root["seed"]?.integer == 5)
        #expect(outline["seed"]?.raw.value.bytes.text == "5" && outline["model"]?.raw.value.content?.text == "gpt")
        for (text, count) in [("{}", 0), ("[1]", nil), ("5", nil), (" {\"a\":{}} ", 1)] as [(String, Int?)] {
            let buffer = ByteBuffer(text)
            _ = try parser.begin(buffer.bytes)
            #expect(parser.outline()?.members.count == count, "\(text)")
        }
    }

    @Test("texts that are left out are as valid as those that are parsed: with each part changed, and cut anywhere")
    func changed() {
        for index in Self.request.indices {
            for other in Self.others {
                var parts = Self.request
                parts[index] = other
                check(parts.joined(), "part \(index)")
                parts[index] = Self.request[index] + other
                check(parts.joined(), "after part \(index)")
            }
        }
        let text = Array(Self.request.joined().utf8)
        for end in text.indices {
            let cut = String(decoding: text[..<end], as: UTF8.self)
            check(cut, "cut at \(end)")
            check(cut + "}]}", "cut at \(end) and closed")
        }
    }

    @Test("texts that are left out are as valid as those that are parsed: with each byte removed, and others before it")
    func changedBytes() {
        let text = Array(Self.request.joined().utf8)
        for index in text.indices {
            var changed = text
            changed.remove(at: index)
            check(String(decoding: changed, as: UTF8.self), "without byte \(index)")
            for byte in #",:[]{}"\5-. "#.utf8 {
                changed = text
                changed.insert(byte, at: index)
                check(String(decoding: changed, as: UTF8.self), "before byte \(index)")
            }
        }
    }

    @Test("tools that a reader must see are not plain")
    func notPlain() throws {
        let tools = [
            "[]", "[5]", "[{}]", #"[{"type":"function"}]"#, #"[{"type":"custom","custom":{"name":"a"}}]"#,
            #"[{"type":"function","function":{}}]"#, #"[{"type":"function","function":{"name":5}}]"#,
            #"[{"type":"function","function":{"name":""}}]"#, #"[{"type":"function","function":{"name":"a b"}}]"#,
            #"[{"type":"function","function":{"name":"a","name":"b"}}]"#, #"[{"type":"function","name":"a"}]"#,
            #"[{"type":"function","function":{"name":"a","description":null}}]"#,
            #"[{"type":"function","function":{"name":"a","parameters":[]}}]"#,
            #"[{"type":"function","function":{"name":"a","strict":1}}]"#,
            #"[{"type":"function","function":{"name":"a","n\u0061me":"b"}}]"#,
            #"[{"type":"function","function":{"name":"a"},"cache_control":{"type":"ephemeral"}}]"#,
            #"[{"type":"function","function":{"name":"\#(String(repeating: "a", count: 65))"}}]"#,
        ]
        for list in tools {
            let text = ByteBuffer(#"{"tools":\#(list)}"#)
            _ = try parser.begin(text.bytes)
            #expect(parser.outline()?["tools"]?.plainTools == 0, "\(list)")
        }
    }
}
