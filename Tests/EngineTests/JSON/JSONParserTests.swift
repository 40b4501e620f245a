import Support
import Testing

@testable import Engine

@Suite struct JSONParserTests {
    private let parser = JSONParser()

    /// Returns a value that `look` reads while the document lives.
    private func read<Result>(_ text: String, _ look: (JSONValue) -> Result) throws -> Result {
        let buffer = ByteBuffer(text)
        return look(try parser.parse(buffer.bytes))
    }

    @Test("kinds and values")
    func values() throws {
        let text = #"{"o":{"a":[1,"b",null]},"s":"\u00e4\n","i":-7,"d":1.5,"e":1e3,"t":true,"n":null,"s":"second"}"#
        try read(text) { root in
            #expect(root.kind == .object && root["o"]?["a"]?.kind == .array)
            #expect(root["s"]?.string == "\u{e4}\n", "of two the first")
            #expect(root["i"]?.integer == -7 && root["i"]?.number == -7 && root["i"]?.kind == .integer)
            #expect(root["d"]?.number == 1.5 && root["d"]?.integer == nil && root["d"]?.kind == .decimal)
            #expect(root["e"]?.number == 1_000 && root["e"]?.kind == .decimal)
            #expect(root["t"]?.flag == true && root["t"]?.kind == .flag && root["t"]?.string == nil)
            #expect(root["n"] == nil && root.has("n") && !root.has("m") && root["m"] == nil)
            #expect(root["o"]?["a"]?.elements?.map(\.kind) == [.integer, .string, .null])
            #expect(root["o"]?["a"]?.count == 3 && root["o"]?.count == 0 && root["s"]?.count == 0)
            #expect(root.members?.map(\.name.text) == ["o", "s", "i", "d", "e", "t", "n", "s"])
            #expect(root["s"]?["x"] == nil && root["s"]?.members == nil && root["s"]?.elements == nil)
        }
    }

    @Test(
        "what the names of a body show",
        arguments: [
            (#"{"a":1,"b":{"a":[{"c":1},{"c":2}]}}"#, []),
            (#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#, .repeated),
            ("{\((0..<40).map { "\"n\($0 % 39)\":[]" }.joined(separator: ","))}", .repeated),
            (#"{"messages":[{"content":[{"File_ID":1}]}]}"#, .resources),
            // Models: only in tools, and not in a schema of a client's function.
            (#"{"model":"a","messages":[{"content":[{"input":{"model":"b"}}]}],"extra":{"model":"c"}}"#, []),
            (#"{"tools":[{"name":"car","input_schema":{"properties":{"model":{}}}}]}"#, []),
            (#"{"tools":[{"function":{"parameters":{"model":{}}},"type":"function"}]}"#, []),
            (#"{"tools":[{"type":"custom","name":"car","input_examples":[{"model":"T"}]}]}"#, []),
            (#"{"tools":[{"name":"car","defaults":{"model":"b"}}]}"#, .toolModels),
            (
                #"{"tools":[{"name":"car","parameters":{}},{"type":"expert","with":[{"Sub_Model-ID":"b"}]}]}"#,
                .toolModels
            ),
            (#"{"tools":[{"type":"expert","parameters":{"model":"b"}}]}"#, .toolModels),
            (#"{"tools":[{"type":null,"parameters":{"models":"b"}}]}"#, .toolModels),
            (#"{"functions":[{"m\u006fdel":"b"}]}"#, .toolModels),
            (#"{"tools":[{"\uff4dodel":"b"}]}"#, .toolModels),
            (#"{"tools":[{"type":"advisor_1"}]}"#, .toolModels),
            (#"{"tools":[{"type":"namespace","tools":[{"name":"car"}]}]}"#, .toolModels),
            (#"{"tools":[[{"model":"b"}]]}"#, .toolModels),
            (#"{"tools":{"model":"b"}}"#, .toolModels),
            // Empty members: only those of messages, and not their content.
            (#"{"messages":[{"content":null},{"content":[]}],"stop":null,"tools":[{"a":[],"b":null}]}"#, []),
            (#"{"messages":[{"content":"a","audio":{"id":null},"tool_calls":[1]}]}"#, []),
            (#"{"messages":[{"content":"a"},{"role":"user","refusal":null}]}"#, .emptyMembers),
            (#"{"messages":[{"content":"a","tool_calls":[ ]}]}"#, .emptyMembers),
            ("null", []), ("[]", []), ("{}", []), (#"{"":null,"":1}"#, .repeated),
        ] as [(String, JSONValue.Names)]
    )
    func names(_ text: String, _ expected: JSONValue.Names) throws {
        #expect(try read(text) { $0.names } == expected)
    }

    @Test("names are found at the greatest depth")
    func deepNames() throws {
        let text = String(repeating: #"{"a":["#, count: 511) + #"{"b":1,"b":2}"# + String(repeating: "]}", count: 511)
        #expect(try read(text) { $0.names } == .repeated)
    }

    @Test("the bounds of integers")
    func integers() throws {
        try read("[9223372036854775807,-9223372036854775808,9223372036854775808,18446744073709551615]") { root in
            #expect(root.elements?.map(\.integer) == [.max, .min, nil, nil])
            #expect(root.elements?.map(\.kind) == [.integer, .integer, .integer, .integer])
            #expect(root.elements?.map(\.unsigned) == [UInt64(Int64.max), nil, UInt64(Int64.max) + 1, .max])
        }
    }

    @Test("integers are written as they were read")
    func writtenIntegers() throws {
        let text = "[0,-1,9223372036854775807,-9223372036854775808,9223372036854775808,18446744073709551615]"
        #expect(try read(text) { $0.body.text } == text)
    }

    @Test("numbers that no type holds are decimals near them")
    func largeNumbers() throws {
        let numbers = [
            "18446744073709551616", "-9223372036854775809", "1000000000000000000000", "123456789012345678901234567890",
            "1e400",
            "-1.5E+0400", "12e308", "1\(String(repeating: "0", count: 2_000))",
        ]
        let text =
            #"{"s":"1e999\"18446744073709551616","n":[\#(numbers.joined(separator: ", "))],"i":18446744073709551615}"#
        try read(text) { root in
            #expect(root["s"]?.string == #"1e999"18446744073709551616"#)
            #expect(root["i"]?.kind == .integer)
            let read = root["n"]?.elements?.map { $0.number ?? 0 } ?? []
            #expect(read[0] > 1.8e19 && read[0] < 1.9e19 && read[1] < -9.2e18 && read[1] > -9.3e18)
            #expect(read[2] == 1e21 && read[3] == 1.2345678901234567e29 && read[4] == 1e307 && read[5] == -1.5e307)
            #expect(read[6] >= 1e307 && read[7] >= 1e307 && read.count == 8)
        }
        for text in ["[18446744073709551616,01]", "[1e400,1.]", "[184467440737095516160 1]", "[1e4000", "[1.e400]"] {
            #expect(throws: JSONError.self, "\(text)") { try read(text) { _ in } }
        }
    }

    @Test("a byte order mark is skipped, once, before the document")
    func mark() throws {
        #expect(try read("\u{feff}{\"a\":1}") { $0["a"]?.integer } == 1)
        for text in ["\u{feff}\u{feff}1", "1\u{feff}", "\u{feff}"] {
            #expect(throws: JSONError.self) { try read(text) { _ in } }
        }
    }

    @Test("each beginning of a document is refused")
    func cut() throws {
        let text = Array(#"{"a":[1,-2.5e3,"\u00e4\\x",true,null,{}],"b":{"c":"d"}}"#.utf8)
        for end in 0..<text.count {
            let part = String(decoding: text[..<end], as: UTF8.self)
            #expect(throws: JSONError.self, "of \(end) bytes") { try read(part) { _ in } }
        }
        #expect(try read(String(decoding: text, as: UTF8.self)) { $0["b"]?["c"]?.string } == "d")
    }

    @Test(
        "what is no JSON is refused, and the parser goes on",
        arguments: [
            "", " ", "{}x", "{}{}", "[1,]", "{\"a\":1,}", "{'a':1}", "[01]", "[1.]", "[+1]", "nan", "\"\u{1}\"",
            "\"\\x\"", #""\ud800""#,
        ]
    )
    func refuses(_ text: String) throws {
        #expect(throws: JSONError.self) { try read(text) { _ in } }
        #expect(try read("[1]") { $0.elements?.map(\.integer) } == [1])
    }

    @Test(
        "invalid UTF-8 is refused",
        arguments: [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]]
    )
    func refusesBadText(_ bytes: [UInt8]) {
        let buffer = quoted(bytes)
        let isTaken = (try? parser.parse(buffer.bytes)) != nil
        #expect(!isTaken)
    }

    private func quoted(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer("\"")
        bytes.withUnsafeBytes { buffer.append($0) }
        buffer.append("\"")
        return buffer
    }

    @Test("depth is bounded")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try read(nested(1_000)) { $0.kind } == .array)
        #expect(throws: JSONError.self) { try read(nested(1_100)) { _ in } }
        #expect(throws: JSONError.self) { try read(nested(1_000_000)) { _ in } }
    }

    @Test("small documents follow a huge one, and another huge one them")
    func hugeThenSmall() throws {
        let large = "[\"" + String(repeating: "x", count: 3_000_000) + "\"]"
        for _ in 0..<2 {
            #expect(try read(large) { $0.elements?.first { _ in true }?.text?.count } == 3_000_000)
            #expect(try read("{\"a\":\"b\"}") { $0["a"]?.string } == "b")
            #expect(try read("{\"a\":\"c\"}") { $0["a"]?.string } == "c")
        }
    }
}
