import Calls
import Engine
import Shared

/// The quirks of Cloudflare's models, in addition to those of OpenAI-compatible servers.
extension LearnedQuirks {
    /// The quirk of a model that is missing in the OpenAI-compatible API. Cloudflare's own API is called instead.
    static let ownWire = LearnedQuirks(rawValue: 1 << 35)
    /// The quirk of a model that refuses the relay's default token limit. A lower limit is sent instead.
    static let lowBound = LearnedQuirks(rawValue: 1 << 36)
    /// The quirk of a model that does not stream. A complete response is requested instead.
    static let notStreamed = LearnedQuirks(rawValue: 1 << 37)

    fileprivate static let ofCloudflare: LearnedQuirks = [.ownWire, .lowBound, .notStreamed]
}

/// Writes a chat call as the JSON body of a request, in Cloudflare's variant of OpenAI's format.
enum CloudflareRequest {
    /// The token limit that the relay sends if the client sets none.
    static let standardTokens = 4_096
    static let lowTokens = 2_048

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
        for position in call.attachments.indices { call.attachments[position].writeOut() }
        return RequestRewriter.written(
            OpenAILikeRequest(call, model: model, isOpenAI: false).written(),
            with: [.emptyContent, .joinedContent]
        )
    }

    static func rewritten(_ request: Body, with quirks: LearnedQuirks) -> Body {
        let rewritten = RequestRewriter.written(request, with: quirks.subtracting(.ofCloudflare))
        guard !quirks.isDisjoint(with: .ofCloudflare) else { return rewritten }
        var out = ByteBuffer()
        _ = out.reserve(rewritten.bytes.count)
        append(RawJSON(rewritten.bytes), quirks, to: &out)
        return Body(out)
    }

    private static func append(_ root: RawJSON, _ quirks: LearnedQuirks, to out: inout ByteBuffer) {
        root.append(to: &out, leavingOut: { isLeftOut($0, quirks) }) { member, out in
            switch member.name {
            case "max_tokens" where quirks.contains(.lowBound) && member.value.bytes.equals("4096"):
                out.append(#""max_tokens":"#, decimal: lowTokens)
            case "response_format" where quirks.contains(.ownWire):
                out.append(#""response_format":"#)
                append(format: member.value, to: &out)
            default: return false
            }
            return true
        }
    }

    private static func isLeftOut(_ member: RawJSON.Member, _ quirks: LearnedQuirks) -> Bool {
        switch member.name {
        case "model": quirks.contains(.ownWire)
        case "stream_options": !quirks.isDisjoint(with: [.ownWire, .notStreamed])
        case "stream": quirks.contains(.notStreamed)
        default: false
        }
    }

    /// Appends `response_format` as Cloudflare's own API expects it: `json_schema` is the schema itself.
    private static func append(format: RawJSON, to out: inout ByteBuffer) {
        format.append(to: &out) { member, out in
            guard member.name.equals("json_schema"), let schema = member.value["schema"] else { return false }
            out.append(#""json_schema":"#)
            out.append(schema.bytes)
            return true
        }
    }
}

extension Attachment {
    /// Replaces the data of a text file by the file's decoded text.
    fileprivate mutating func writeOut() {
        guard kind == .file, case .data(let text) = source else { return }
        source = .words(String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self))
    }
}
