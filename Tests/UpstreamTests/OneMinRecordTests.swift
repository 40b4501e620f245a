import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct OneMinRecordTests {
    private func record(_ fields: String) throws -> (text: String, usage: Usage?) {
        let buffer = ByteBuffer(fields)
        let parser = JSONParser()
        return try withExtendedLifetime(parser) {
            let record = try OneMinRecord(buffer.bytes, parser)
            return (record.text.text, record.usage)
        }
    }

    @Test(
        "the result is an array's first string, or a bare one",
        arguments: [
            (#"["a","b"]"#, "a"), (#""a""#, "a"), (#"[{"x":1},["y"],"a"]"#, "a"), (#"[""]"#, ""),
            (#"["\u00e4"]"#, "\u{e4}"),
        ]
    )
    func reads(_ result: String, _ text: String) throws {
        let record = try record(
            #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":\#(result)},"metadata":{"inputToken":3,"outputToken":7}}}"#
        )
        #expect(record.text == text)
        #expect(record.usage?.promptTokens == 3 && record.usage?.completionTokens == 7)
    }

    @Test(
        "a count that is none is not told",
        arguments: [
            #"{}"#, #"{"inputToken":1}"#, #"{"inputToken":-1,"outputToken":1}"#,
            #"{"inputToken":1,"outputToken":1e300}"#, #"{"inputToken":1,"outputToken":1099511627776}"#,
            #"{"inputToken":9223372036854775807,"outputToken":1}"#, "null", #"{"inputToken":0,"outputToken":7}"#,
            #"{"inputToken":3,"outputToken":0}"#, #"{"inputToken":0,"outputToken":0}"#,
        ]
    )
    func oddUsage(_ metadata: String) throws {
        let record = try record(#"{"aiRecord":{"aiRecordDetail":{"resultObject":["a"]},"metadata":\#(metadata)}}"#)
        #expect(record.usage == nil && record.text == "a")
    }

    @Test(
        "credits that cannot be are not told",
        arguments: ["-1", "1e13", "1e30", "1e300", "9223372036854775807", "null", #""7""#]
    )
    func oddCredits(_ credits: String) throws {
        let buffer = ByteBuffer(
            #"{"aiRecord":{"aiRecordDetail":{"resultObject":["a"]},"metadata":{"credit":\#(credits)}}}"#
        )
        let parser = JSONParser()
        #expect(try OneMinRecord(buffer.bytes, parser).credits == nil)
    }

    @Test(
        "what is no record of a success fails",
        arguments: [
            "", "{", "[]", "{}", #"{"aiRecord":null}"#, #"{"aiRecord":{}}"#, #"{"success":false,"aiRecord":{}}"#,
            #"{"aiRecord":{"status":"FAILED","aiRecordDetail":{"resultObject":["a"]}}}"#,
            #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":[]}}}"#,
            #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":""}}}"#,
            #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":[{}]}}}"#,
        ]
    )
    func fails(_ text: String) {
        #expect(throws: UpstreamError.self) { try record(text) }
    }
}
