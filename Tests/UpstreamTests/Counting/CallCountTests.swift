import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct CallCountTests {
    /// - Parameter reports: the number of responses in a row whose usage was reported; nil without statistics.
    @Test(
        "a prompt is counted before its response only if statistics say that its tokens will not be reported",
        arguments: [(reports: nil, isCounted: false), (0, true), (UsageReports.expectedAfter, false)]
    )
    func early(reports: Int?, isCounted: Bool) async {
        let worker = WorkQueue(bytes: 1 << 20)
        defer { worker.stop() }
        let (before, after) = await onLoop { loop in
            let count = CallCount(Model(chatModel: "gpt-4o", owner: ""), by: worker, on: loop)
            if let reports {
                let statistics = UsageReports()
                for _ in 0..<reports { statistics.record(isReported: true) }
                count.follow(statistics)
            }
            var call = ChatCall()
            call.messages = [ChatMessage(role: .user, text: "internationalization and localization")]
            #expect(count.countShort(call) && count.counter.isExact)
            let before = count.knownPromptTokens(or: 0)
            count.countUnreported()
            return (before, count.knownPromptTokens(or: 0))
        }
        // Until the prompt is counted, its tokens are estimated, as more than they are.
        #expect((after < before) == isCounted && (after == before) == !isCounted)
    }

    @Test("tools that are indented have the tokens of those that are not")
    func indented() {
        func tokens(_ tools: String) -> Int {
            let request = OriginalRequest(Body(ByteBuffer(#"{"model":"m","tools":"# + tools + "}")))
            var options = ChatOptions()
            options.leave(UnreadTools { _ in [] })
            options.find(in: request)
            var call = ChatCall()
            call.chatOptions = options
            return call.estimatedToolTokens
        }
        let compact = #"[{"type":"function","function":{"name":"f","description":"a  \"b\"\\ {\n"}}]"#
        let indented =
            "[\n  {\n\t\"type\": \"function\",\r\n   \"function\" : " + #"{"name": "f","#
            + "\n  " + #""description":"a  \"b\"\\ {\n"} }"# + "\n]"
        #expect(tokens(compact) == tokens(indented) && tokens(compact) > 10)
    }
}
