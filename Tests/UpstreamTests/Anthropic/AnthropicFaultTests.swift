import Engine
import Testing

@testable import Upstream

@Suite struct AnthropicFaultTests {
    @Test(
        "a limit of spending tells the time until which its key rests",
        arguments: [("2099-12-01 at 00:00 UTC.", 86_400), ("2001-01-01 at 00:00 UTC", nil), ("soon", nil), ("20", nil)]
            as [(String, Int?)]
    )
    func spending(time: String, seconds: Int?) {
        let said = "You have reached your specified workspace API usage limits. You will regain access on \(time)"
        let body = ByteBuffer(#"{"type":"error","error":{"type":"invalid_request_error","message":"\#(said)"}}"#)
        let errorReader = ErrorResponseReader(JSONParser(), VendorError.anthropic, namesFields: false)
        let head = UpstreamHead(status: 400, isEventStream: false, retryAfterSeconds: nil)
        let error = errorReader.error(head, body.bytes, to: RefusedRequest(nil))
        #expect(error.kind == .outOfCredit && error.retryAfterSeconds == seconds)
    }
}
