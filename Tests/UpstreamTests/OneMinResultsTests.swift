import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct OneMinResultsTests {
    private func files(_ result: String, temporary: String = "null") throws -> [GeneratedImage] {
        let record = #"{"aiRecord":{"temporaryUrl":\#(temporary),"aiRecordDetail":{"resultObject":\#(result)}}}"#
        let buffer = ByteBuffer(record)
        let parser = JSONParser()
        return try withExtendedLifetime(parser) {
            try OneMinResults(buffer.bytes, assetURL: "https://assets", parser).files
        }
    }

    @Test(
        "where a result may be had, the likeliest place first",
        arguments: [
            (#"["images/a.png"]"#, "null", "https://assets/images/a.png", 1),
            (#""images/a.png""#, "null", "https://assets/images/a.png", 1),
            (#"["images/a b%20\u00e9?.png"]"#, "null", "https://assets/images/a%20b%20%C3%A9%3F.png", 1),
            (#"["/images/a.png"]"#, "null", "https://assets/images/a.png", 1),
            (#"["images/a.png"]"#, #""https://s/x/a.png?sig=1""#, "https://s/x/a.png?sig=1", 2),
            (#"["images/a.png"]"#, #""https://s/other?sig=1""#, "https://s/other?sig=1", 2),
            (#"["images/a.png"]"#, #""javascript:alert(1)""#, "https://assets/images/a.png", 1),
            (#"["images/a.png"]"#, #""https://s/a b""#, "https://assets/images/a.png", 1),
            (#"["http://h/a.png"]"#, #""https://s/x/a.png?sig=1""#, "http://h/a.png", 2),
            (#"["http://h/a.png"]"#, #""https://s/x/b.png?sig=1""#, "http://h/a.png", 1),
            (#"[{"title":"x"},"images/a.png"]"#, "null", "https://assets/images/a.png", 1),
        ]
    )
    func positions(_ result: String, _ temporary: String, _ first: String, _ count: Int) throws {
        let files = try files(result, temporary: temporary)
        #expect(files.count == 1 && files[0].address == first)
        #expect(files[0].sources.first == first && files[0].sources.count == count)
    }

    @Test("of several results the signed address is that of the same name")
    func several() throws {
        let files = try files(#"["i/a.png","i/b.png"]"#, temporary: #""https://s/i/b.png?sig""#)
        #expect(files.map(\.address) == ["https://assets/i/a.png", "https://s/i/b.png?sig"])
        #expect(files.map(\.sources.count) == [1, 2])
    }

    @Test("a record without a result is a failure", arguments: ["[]", #"[""]"#, "5", "{}", "null", "[5,{}]", #""""#])
    func nothing(_ result: String) {
        #expect(throws: UpstreamError.self) { try files(result) }
    }
}
