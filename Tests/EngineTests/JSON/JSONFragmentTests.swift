import Support
import Testing

@testable import Engine

@Suite struct JSONFragmentTests {
    private static func text(_ json: JSONFragment) -> String { json.text }

    @Test("values are written by their types")
    func values() {
        let (name, missing, number) = ("a\"b\\\n\u{1}ä", nil as String?, nil as Int?)
        #expect(
            Self.text(#"{"name":\#(name),"missing":\#(missing),"number":\#(number),"n":\#(-7),"yes":\#(true)}"#)
                == #"{"name":"a\"b\\\n\u0001ä","missing":null,"number":null,"n":-7,"yes":true}"#
        )
        #expect(
            Self.text("[\(0.5),\(1e300),\(Double.nan),\(Double.infinity),\(UInt64.max)]")
                == "[0.5,1e+300,null,null,18446744073709551615]"
        )
        #expect(Self.text("\(name[name.startIndex...])") == Self.text("\(name)"))
        #expect(Self.text("[]") == "[]")
    }

    @Test("a text cannot leave its quotes, whatever it holds")
    func quotes() throws {
        let parser = JSONParser()
        for byte in UInt8(0)...127 {
            let text = "\(UnicodeScalar(byte))\",\"x\":\"\\"
            var out = ByteBuffer()
            out.json(#"{"a":\#(text)}"#)
            let root = try parser.parse(out.bytes)
            #expect(root["a"]?.text?.text == text)
            #expect(root["x"] == nil)
        }
    }

    @Test("lists put commas between their elements")
    func lists() {
        #expect(Self.text(#"{"items":\#([1, 2, 3]),"none":\#([] as [String])}"#) == #"{"items":[1,2,3],"none":[]}"#)
        let pairs = ["a": 1]
        #expect(
            Self.text(#"{"items":\#(pairs, each: { #"{"k":\#($0.key),"v":\#($0.value)}"# })}"#)
                == #"{"items":[{"k":"a","v":1}]}"#
        )
        let fragments: [JSONFragment] = ["1", #"{"a":\#("b")}"#]
        #expect(Self.text("\(fragments)") == #"[1,{"a":"b"}]"#)
        #expect(Self.text("\(["x", nil])") == #"["x",null]"#)
    }

    @Test("an optional member brings its commas, wherever it stands")
    func members() {
        for (first, last) in [(nil, nil), (1, nil), (nil, 2), (1, 2)] as [(Int?, Int?)] {
            let middle = first == nil ? "" : #""first":1,"#
            let end = last == nil ? "" : #","last":2"#
            #expect(
                Self.text(#"{\#(member: "first", first),"n":0\#(member: "last", last)}"#) == "{\(middle)\"n\":0\(end)}"
            )
        }
        #expect(Self.text(#"{\#(member: "a", nil as Int?)}"#) == "{}")
        #expect(Self.text(#"{\#(member: "a", nil as Int?)\#(member: "b", 1)\#(member: "c", 2)}"#) == #"{"b":1,"c":2}"#)
        #expect(
            Self.text(
                """
                {
                    \(member: "a", nil as Int?)
                    , "b": 1
                }
                """
            ).filter { !$0.isWhitespace } == #"{"b":1}"#
        )
        let dynamic: [(name: String, value: JSONFragment)] = [("da\"y", "\("2026")"), ("model", "null")]
        #expect(Self.text(#"{\#(members: dynamic),"n":1}"#) == #"{"da\"y":"2026","model":null,"n":1}"#)
        #expect(Self.text(#"{\#(members: []),"n":1}"#) == #"{"n":1}"#)
        // A comma in a value does not separate members.
        #expect(Self.text(#"{\#(member: "a", nil as Int?)"b":\#(",")}"#) == #"{"b":","}"#)
    }

    @Test("what is JSON already stands as it is")
    func raw() {
        let body = ByteBuffer(#"{"a":[1]}"#)
        #expect(Self.text(#"{"body":\#(raw: body.bytes)}"#) == #"{"body":{"a":[1]}}"#)
        var out = ByteBuffer("x")
        out.json(#"{"a":\#(1)}"#)
        #expect(out.text == #"x{"a":1}"#)
        #expect(ByteBuffer(json: "[\(1)]").text == "[1]")
    }
}
