import Engine
import Shared

/// Writes a chat call as the JSON body of a request, in Cloudflare's variant of OpenAI's format.
enum CloudflareRequest {
    /// The token limit that the relay sends if the client sets none.
    static let standardTokens = 4_096
    static let lowTokens = 2_048
    private static let quirksOfAll: Set<Quirk> = [.named(.emptyContent), .named(.joinedContent)]

    static func written(_ call: ChatCall, _ model: String) -> Body {
        var call = call
        call.messages = call.messages.withReminders
        // Without a limit, many models stop too early.
        call.maxTokens = call.maxTokens ?? standardTokens
        var chatOptions = call.chatOptions
        chatOptions.bookkeeping = ChatOptions.Bookkeeping()
        chatOptions.reasoning.verbosity = nil
        chatOptions.sampling.logitBias = nil
        chatOptions.parallelToolCalls = nil
        chatOptions.searchTool = nil
        call.chatOptions = chatOptions
        for index in call.attachments.indices { call.attachments[index].writeOut() }
        return RequestRewriter.written(
            OpenAILikeRequest(call, model: model, isOpenAI: false).written(),
            with: quirksOfAll
        )
    }

    static func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        var body = RequestRewriter.written(request, with: quirks)
        if quirks.contains(.ownWire) {
            // In Cloudflare's own API, `json_schema` is the schema itself.
            body = body.replacing("response_format") { format, out in
                format.append(to: &out, replacing: "json_schema") { $1.append(($0["schema"] ?? $0).bytes) }
            }
        }
        for (quirk, changes) in changes where quirks.contains(quirk) { body = QuirkFinding(changes).applied(to: body) }
        return body
    }

    private static let changes: [(QuirkName, [FieldChange])] = [
        (.ownWire, [FieldChange("model"), FieldChange("stream_options")]),
        (.lowBound, [FieldChange("max_tokens", .atMost(lowTokens))]),
    ]
}

extension Attachment {
    /// Replaces the data of a text file by the file's decoded text.
    fileprivate mutating func writeOut() {
        guard kind == .file, case .data(let text) = source else { return }
        source = .words(String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self))
    }
}
