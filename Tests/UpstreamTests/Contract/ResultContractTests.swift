import Engine
import Shared
import Testing

@testable import Upstream

/// Tests of attachments at vendors that lack a place or a form for them.
@Suite struct ResultContractTests {
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
