import Engine
import Testing

@testable import Upstream

@Suite struct FieldChangeTests {
    private static func changed(_ json: String, _ path: String, _ kind: FieldChange.Kind) -> String {
        let body = Body(ByteBuffer(json))
        let change = FieldChange(path: path.split(separator: ".").map(String.init), kind: kind)
        let changed = change.applied(to: body)
        return withExtendedLifetime(body) { change.concerns(RawJSON(body.bytes)) ? changed.bytes.text : "" }
    }

    @Test("a field is dropped at its path, in each element of a list, and a group that it leaves empty is, too")
    func drop() {
        #expect(Self.changed(#"{"a":1, "b" : [1.50,null]}"#, "a", .drop) == #"{"b":[1.50,null]}"#)
        #expect(Self.changed(#"{"a":[],"b":1}"#, "a", .drop) == #"{"b":1}"#)
        #expect(Self.changed(#"{"a":{"b":1,"c":2}}"#, "a.b", .drop) == #"{"a":{"c":2}}"#)
        #expect(Self.changed(#"{"a":{"b":1},"d":{}}"#, "a.b", .drop) == #"{"d":{}}"#)
        #expect(
            Self.changed(#"{"m":[{"r":"x","n":1},{"n":2,"t":[{"n":3},{}]},"n"]}"#, "m.n", .drop)
                == #"{"m":[{"r":"x"},{"t":[{"n":3},{}]},"n"]}"#
        )
        for json in [#"{"A":1}"#, #"{"b":{"a":1}}"#, "[]", "1"] { #expect(Self.changed(json, "a", .drop).isEmpty) }
    }

    @Test("a number is lowered to a bound, and a field gets another name") func others() {
        #expect(Self.changed(#"{"max":9,"b":9}"#, "max", .atMost(5)) == #"{"max":5,"b":9}"#)
        #expect(Self.changed(#"{"g":{"max":9}}"#, "g.max", .atMost(5)) == #"{"g":{"max":5}}"#)
        for value in ["5", "4.5", #""9""#, "null", "-9"] {
            #expect(Self.changed(#"{"max":\#(value)}"#, "max", .atMost(5)).isEmpty)
        }
        #expect(Self.changed(#"{"seed":{"x":1}}"#, "seed", .rename("random_seed")) == #"{"random_seed":{"x":1}}"#)
    }

    @Test("a text is replaced by another one, or by the nearest accepted effort") func texts() {
        #expect(Self.changed(#"{"e":"low"}"#, "e", .replace(nil, by: #""none""#)) == #"{"e":"none"}"#)
        #expect(Self.changed(#"{"e":"none"}"#, "e", .replace(nil, by: #""none""#)).isEmpty)
        for (given, sent) in [("minimal", "low"), ("max", "high"), ("none", "low")] {
            #expect(
                Self.changed(#"{"r":{"e":"\#(given)"}}"#, "r.e", .nearest(["low", "high"]))
                    == #"{"r":{"e":"\#(sent)"}}"#
            )
        }
        for given in ["low", "high", "huge"] {
            #expect(Self.changed(#"{"e":"\#(given)"}"#, "e", .nearest(["low", "high"])).isEmpty)
        }
    }

    @Test("texts of many combining marks, which Swift would sort, are compared as bytes") func marks() {
        let text = "a" + String(repeating: "\u{301}\u{327}", count: 60_000)
        let time = ContinuousClock().measure {
            for kind: FieldChange.Kind in [.replace("none", by: "1"), .nearest(["low"])] {
                #expect(Self.changed(#"{"e":"\#(text)"}"#, "e", kind).isEmpty)
            }
            let list = #"[{"name":"\#(text)"}]"#
            #expect(
                Self.changed(#"{"t":\#(list.dropLast()),\#(list.dropFirst())}"#, "t", .distinct) == #"{"t":\#(list)}"#
            )
            withBytes(#"{"\#(text)":"b"}"#) { json in
                #expect(RequestStrings(json).map { $0.isOfCaller || $0.isOfSchemas } == [false, true])
            }
        }
        #expect(time < .seconds(2))
    }

    @Test("a field is set whether the body has it or not") func set() {
        #expect(Self.changed(#"{"a":1}"#, "b", .set("true")) == #"{"a":1,"b":true}"#)
        #expect(Self.changed(#"{"b":false,"a":1}"#, "b", .set("true")) == #"{"b":true,"a":1}"#)
        #expect(Self.changed("{}", "b", .set("true")) == #"{"b":true}"#)
        #expect(Self.changed(#"{"b":true}"#, "b", .set("true")).isEmpty)
    }

    @Test("objects of a type leave a list") func types() {
        let item = #"{"type":"reasoning","id":"a"}"#
        #expect(
            Self.changed(#"{"i":[\#(item),1,{"type":"x"},\#(item)]}"#, "i", .dropType("reasoning"))
                == #"{"i":[1,{"type":"x"}]}"#
        )
        #expect(Self.changed(#"{"i":[\#(item)]}"#, "i", .dropType("reasoning", or: "1")) == #"{"i":[1]}"#)
        for json in [#"{"i":[1]}"#, #"{"i":"reasoning"}"#, "{}"] {
            #expect(Self.changed(json, "i", .dropType("reasoning")).isEmpty)
        }
    }

    @Test("a schema gets properties and items, and loses nulls that are no values") func schemas() {
        let lacking =
            #"{"type":"object","properties":{"a":{"type":["array","null"]},"items":{"type":"string","title":null}}}"#
        let whole =
            #"{"type":"object","properties":{"a":{"type":["array","null"],"items":{}},"items":{"type":"string"}}}"#
        #expect(Self.changed(#"{"t":[{"p":\#(lacking)}]}"#, "t.p", .complete) == #"{"t":[{"p":\#(whole)}]}"#)
        for schema in [whole, #"{ "type" : "string", "default": null, "enum": [null] }"#, "true", "[]"] {
            #expect(Self.changed(#"{"p":\#(schema)}"#, "p", .complete).isEmpty, "\(schema)")
        }
        var deep = #"{"type":"object"}"#
        for _ in 0..<900 { deep = #"{"items":\#(deep)}"# }
        #expect(Self.changed(#"{"p":\#(deep)}"#, "p", .complete).isEmpty)
    }
}
