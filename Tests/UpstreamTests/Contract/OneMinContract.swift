import Engine
import Shared

@testable import Upstream

/// 1min.ai's chat, whose tool calls are text.
struct OneMinContract: VendorContract {
    let model = "m"
    let begunEvents = 0
    let spareEvents = 1
    let neededFields: Set<String> = ["aiRecord", "aiRecordDetail", "resultObject", "status"]
    let isLenientAtEnd = false
    let oddName = "file-read"
    let optionalFields: [String] = []
    let lacks: [ContractTopic: String] = [
        .repeatedUsage: "only the record has the usage", .callIDs: "the relay makes the ids",
        .reasoning: "the vendor sends none", .shortNames: "names are text of the prompt",
        .nativeChoices: "a request has no `n`", .quirks: "a request has no optional field",
    ]
    let faults: [Int: ContractFault] = [
        400: ContractFault(.badRequest, .reuploadFiles),
        404: ContractFault(.failed, [.nextCandidate, .reuploadFiles]),
        529: ContractFault(.failed, .nextCandidate),
    ]
    let errorInside = (
        body: #"{"errorCode":"RATE_LIMITED","message":"Busy."}"#, kind: UpstreamError.Kind.rateLimited
    )
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("stop", .stop), ("length", .length), ("MAX_TOKENS", .length), ("content_filter", .contentFilter),
        (" Max_Output_Tokens ", .length), ("SAFETY", .contentFilter), (" Safety ", .contentFilter),
        ("RECITATION", .contentFilter), ("prohibited_content", .contentFilter), ("complete", .stop),
        ("tool_use", .stop), ("", .stop), ("odd", .stop),
    ]
    let listBody = #"{"models":[{"modelId":"a","name":"A"},{"modelId":"b","name":"B"}]}"#

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        var site = site()
        site.assetURL = url
        return OneMin(
            site,
            transport,
            outside: transport,
            shared: OneMin.SharedServices(),
            quirks: QuirkMemory(),
            tools: tools
        )
    }

    func list(_ transport: any Transport) -> (any ModelList)? {
        OneMinList(baseURL: url, options: EndpointOptions(), transport: transport, parser: JSONParser())
    }

    func error(_ status: Int, _ message: String) -> String { #"{"errorCode":"X","message":\#(message.quoted)}"# }

    /// Returns the text with the tool calls, as it is streamed.
    private func texts(_ said: SaidResponse) -> [String] {
        said.texts
            + said.calls.flatMap { call in
                [#"<tool_call>{"name":\#(call.name.quoted),"arguments":"#] + call.pieces + ["}</tool_call>"]
            }
    }

    func whole(_ said: SaidResponse) -> String {
        var metadata = #""finishReason":"\#(said.finish ?? "stop")""#
        if let (prompt, completion) = said.usage.last {
            metadata += #","inputToken":\#(prompt),"outputToken":\#(completion)"#
        }
        let result = #"{"resultObject":[\#(texts(said).joined().quoted)]}"#
        return #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":\#(result),"metadata":{\#(metadata)}}}"#
    }

    func events(_ said: SaidResponse) -> [String] {
        texts(said).map { #"{"content":\#($0.quoted)}"#.event("content") }
            + [whole(said).event("result"), "{}".event("done")]
    }
}
