import Engine
import Shared
import Testing

@testable import Upstream

/// Tests of tool results with attachments at the vendors whose results are only text, and of documents by URL.
@Suite struct ResultContractTests {
    private static func call(_ scene: ContractScene) -> ChatCall {
        var call = scene.call(isStreamed: false, tools: ["shot"])
        var turn = ChatMessage(role: .assistant, content: [])
        turn.toolCalls = ["t_red", "t_green"].map { ToolCall(id: $0, name: "shot", arguments: "{}") }
        // In the other order than the calls.
        let results = [("t_green", 1), ("t_red", 0)].map { id, image in
            var result = ChatMessage(role: .tool, content: [.attachment(image)])
            result.toolCallID = id
            return result
        }
        call.messages += [turn] + results
        call.attachments = ["UkVE", "R1JFRU4="].map { base64 in
            let text = ByteBuffer(base64)
            return Attachment(.image, .data(Base64Text(text.bytes)), param: "p")
        }
        call.needs.insert(.inlineMedia)
        return call
    }

    @Test(
        "attachments of results follow behind the name of their call",
        arguments: [VendorKind.openai, .gemini, .cohere, .cloudflare]
    )
    func attachments(kind: VendorKind) async {
        await withScene(kind) { scene in
            let body = await scene.ask(Self.call(scene)).requests.first?.body ?? ""
            let ids = kind == .gemini ? ["shot, call 1", "shot, call 2"] : ["t_red", "t_green"]
            let note = "\"[The attachments of this result follow.]\""
            let wanted = [note, note] + zip(ids, ["UkVE", "R1JFRU4="]).flatMap { ["result of \($0):]", $1] }
            var rest = body[...]
            for text in wanted {
                let place = rest.firstRange(of: text)
                #expect(place != nil, "\(text) in \(body)")
                rest = rest[(place?.upperBound ?? rest.startIndex)...]
            }
        }
    }

    @Test("a document by URL is downloaded where chats have no URLs of documents") func documents() async {
        await withScene(.openai) { scene in
            var call = scene.call(isStreamed: false)
            call.needs.insert(.inlineMedia)
            for (kind, isSent) in [(Attachment.Kind.image, true), (.file, false)] {
                call.attachments = [Attachment(kind, .address("https://a/b"), param: "p")]
                #expect(scene.vendor.abilities(for: call, of: scene.model).contains(.mediaAddresses) == isSent)
            }
        }
    }
}
