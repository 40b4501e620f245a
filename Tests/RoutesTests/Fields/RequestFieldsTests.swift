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

    @Test("the first of two fields with one name counts, and null is absent")
    func doubled() throws {
        let parser = JSONParser()
        let text = ByteBuffer(#"{"n":1,"n":2,"stop":null}"#)
        let fields = try RequestFields(try parser.parse(text.bytes))
        #expect(fields["n"]?.integer == 1)
        #expect(fields["stop"] == nil)
    }
}
