import Engine
import Shared
import Testing

@testable import Routes

@Suite struct RequestFieldsTests {
    private static let names: [StaticString] = [
        "", "n", "model", "messages", "stream", "temperature", "top_p", "presence_penalty", "é", "a\u{0}b",
    ]

    @Test("each field is found, beside all others and alone")
    func found() throws {
        let parser = JSONParser()
        for count in 1...Self.names.count {
            let present = Self.names.prefix(count)
            var text = ByteBuffer()
            for (index, name) in present.enumerated() {
                text.append(index == 0 ? "{" : ",")
                text.append(json: "\(name)")
                text.append(":")
                text.append(decimal: index)
            }
            text.append("}")
            let fields = try RequestFields(try parser.parse(text.bytes))
            for (index, name) in Self.names.enumerated() {
                #expect(fields[name]?.integer == (index < count ? Int64(index) : nil))
            }
        }
    }

    @Test(
        "a number beyond its range is refused, however large",
        arguments: ["11", "0", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "1e300", "-1e300"]
    )
    func bounded(text: String) throws {
        let body = ByteBuffer(#"{"n":"# + text + "}")
        let parser = JSONParser()
        let fields = try RequestFields(try parser.parse(body.bytes))
        #expect(throws: APIError.self) { try fields.integer("n", 1...10) }
        #expect(throws: APIError.self) { try fields.number("n", 1...10) }
        let form = FormFields([(name: "n", text: text)])
        #expect(throws: APIError.self) { try form.integer("n", 1...10) }
        #expect(throws: APIError.self) { try form.number("n", 1...10) }
    }

    @Test("the first of two fields with one name counts, and null is absent")
    func doubled() throws {
        let parser = JSONParser()
        let text = ByteBuffer(#"{"n":1,"n":2,"stop":null}"#)
        let fields = try RequestFields(try parser.parse(text.bytes))
        #expect(fields["n"]?.integer == 1)
        #expect(fields["stop"] == nil)
    }
}
