import Engine
import Support
import Testing
import Upstream

@testable import Routes

/// Tests that the kept parts of a response count in the memory budget until the response ends.
@Suite struct AnswerMemoryTests {
    private static let chat = #""messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}"#
    private static let response = #""input":"hi""#

    private struct Outcome: Sendable {
        let received: ReceivedResponse
        /// The bytes held while the vendor responded, and afterwards.
        let maxBytes: Int
        let bytesAfter: Int
    }

    /// - Parameter budgetBytes: the memory budget, of which large requests may use three quarters.
    private func outcome(_ fields: String, pieces: Int, budgetBytes: Int) async -> Outcome {
        let memory = MemoryBudget(bytes: budgetBytes)
        let surface: any ChatSurface = fields == Self.chat ? OpenAIChat() : OpenAIResponses()
        return await onLoop { loop in
            let vendor = LongVendor(pieces: pieces, memory)
            let body = #"{"model":"m","stream":true,\#(fields)}"#
            let received = await answered(body, by: vendor, through: surface, within: memory, on: loop)
            return Outcome(
                received: received ?? ReceivedResponse(),
                maxBytes: vendor.maxBytes,
                bytesAfter: memory.largeUsedBytes
            )
        }
    }

    @Test("a document and a response's text are charged, and given back", arguments: [chat, response])
    func givenBack(fields: String) async {
        let long = await outcome(fields, pieces: 20, budgetBytes: 16 << 20)
        #expect(
            long.received.status == 200 && long.received.body.contains("xxxx")
                && !long.received.body.contains("error\":{")
        )
        #expect(long.maxBytes >= 19 * 32_768 && long.bytesAfter == 0, "\(long.maxBytes)")
        let short = await outcome(fields, pieces: 1, budgetBytes: 16 << 20)
        #expect(short.received.status == 200 && short.maxBytes == 0)
    }

    @Test("without memory a document is a 503, and a response that has begun ends with an error")
    func spent() async {
        let document = await outcome(Self.chat, pieces: 40, budgetBytes: 1 << 20)
        #expect(document.received.status == 503 && document.bytesAfter == 0, "\(document.received.status)")
        let response = await outcome(Self.response, pieces: 40, budgetBytes: 1 << 20)
        #expect(response.received.status == 200 && response.received.body.contains("event: response.failed"))
        #expect(!response.received.body.contains("response.completed") && response.bytesAfter == 0)
    }
}
