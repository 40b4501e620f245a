import Engine
import Shared

@testable import Upstream

/// Cloudflare's Workers AI, which has OpenAI's responses and errors of its own.
struct CloudflareContract: VendorContract {
    let model = "@cf/meta/llama-3.1-8b"
    let begunEvents = 1
    let spareEvents = 2
    let neededFields = OpenAIContract().neededFields
    let oddName = String(repeating: "long_name_", count: 9)
    let optionalFields = ["temperature", "top_p", "seed", "presence_penalty"]
    let lacks: [ContractTopic: String] = [
        .nativeChoices: "a request has no `n`", .shortNames: "a long name goes on until it is refused",
    ]
    let finishes = OpenAIContract().finishes
    let errorInside = (
        body: #"{"success":false,"errors":[{"code":3040,"message":"No capacity."}]}"#,
        kind: UpstreamError.Kind.unavailable
    )
    let listBody =
        #"{"result":[{"name":"a","task":{"name":"Text Generation"}},{"name":"b","task":{"name":"Text Generation"}},"#
        + #"{"name":"c","task":{"name":"Translation"}}]}"#

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        Cloudflare(site(), account: "1", transport, quirks: QuirkMemory(), tools: tools)
    }

    func list(_ transport: any Transport) -> (any ModelList)? {
        Cloudflare.list(site(), account: "1", transport, keys: ["k"])
    }

    func error(_ status: Int, _ message: String) -> String {
        #"{"success":false,"errors":[{"code":1,"message":\#(message.quoted)}],"result":null}"#
    }

    func whole(_ said: SaidResponse) -> String { OpenAIContract.whole(said) }

    func events(_ said: SaidResponse) -> [String] { OpenAIContract.events(said) }
}
