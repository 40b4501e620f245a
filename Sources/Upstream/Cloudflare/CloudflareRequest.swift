import Calls
import Engine
import Shared

/// Quirks of Cloudflare's models, besides those of OpenAI-compatible servers.
extension Mends {
    /// The model is called by Cloudflare's own API, which serves all models.
    static let ownWire = Mends(rawValue: 1 << 35)
    /// The token limit is lower than the default.
    static let lowBound = Mends(rawValue: 1 << 36)
    /// A stream is requested as a whole response.
    static let notStreamed = Mends(rawValue: 1 << 37)

    fileprivate static let ofCloudflare: Mends = [.ownWire, .lowBound, .notStreamed]
}

/// Writes a neutral call as a request to Cloudflare: in OpenAI's format, without the fields that only OpenAI has, and
/// without null as content.
enum CloudflareRequest {
    /// The default token limit. Without a limit many models stop early.
    static let standardTokens = 4_096
    static let lowTokens = 2_048

    static func written(_ call: ChatCall, _ model: String) -> Body {
        var call = call
        call.maxTokens = call.maxTokens ?? standardTokens
        var wishes = call.wishes
        wishes.bookkeeping = Wishes.Bookkeeping()
        wishes.reasoning.verbosity = nil
        wishes.sampling.logitBias = nil
        wishes.parallelToolCalls = nil
        call.wishes = wishes
        for place in call.attachments.indices { call.attachments[place].writeOut() }
        return MendedRequest.written(
            OpenAILikeRequest(call, model: model, isOpenAI: false).written(),
            with: .emptyContent
        )
    }

    static func mended(_ request: Body, with mends: Mends) -> Body {
        let mended = MendedRequest.written(request, with: mends.subtracting(.ofCloudflare))
        guard !mends.isDisjoint(with: .ofCloudflare) else { return mended }
        var out = ByteBuffer()
        _ = out.reserve(mended.bytes.count)
        append(RawJSON(mended.bytes), mends, to: &out)
        return Body(out)
    }

    private static func append(_ root: RawJSON, _ mends: Mends, to out: inout ByteBuffer) {
        out.append("{")
        var isFirst = true
        for member in root.members {
            switch member.name {
            case "model": if mends.contains(.ownWire) { continue }
            case "stream_options": if !mends.isDisjoint(with: [.ownWire, .notStreamed]) { continue }
            case "stream": if mends.contains(.notStreamed) { continue }
            default: break
            }
            if !isFirst { out.append(",") }
            isFirst = false
            out.append("\"")
            out.append(member.name)
            out.append("\":")
            switch member.name {
            case "max_tokens" where mends.contains(.lowBound) && member.value.bytes.equals("4096"):
                out.append(decimal: lowTokens)
            case "response_format" where mends.contains(.ownWire): append(format: member.value, to: &out)
            default: out.append(member.value.bytes)
            }
        }
        out.append("}")
    }

    /// Appends the response format, with the schema itself as `json_schema`, as Cloudflare's own API wants it.
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
    /// Replaces a text file by its text.
    fileprivate mutating func writeOut() {
        guard kind == .file, case .data(let text) = source else { return }
        source = .words(String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self))
    }
}
