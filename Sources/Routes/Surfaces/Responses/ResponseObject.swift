import Calls
import Engine
import Shared

/// A response without its output: what is the same from its first event to its last.
struct ResponseObject: Sendable {
    /// Random; the ids of the response and its items have it, so that an item's id tells its response's.
    let seed: String
    let createdAt: Int
    let model: String
    let echo: Body

    enum Outcome: Sendable {
        case inProgress
        case finished(FinishReason)
        case failed(APIError)
    }

    var id: String { "resp_\(seed)" }

    func itemID(_ type: ItemType, _ index: Int) -> String { "\(type.prefix)\(seed)\(index)" }

    /// - Parameters:
    ///   - output: items, with commas between.
    ///   - usage: nil: it is not known yet.
    func append(
        _ outcome: Outcome,
        output: UnsafeRawBufferPointer,
        _ usage: Usage?,
        isStored: Bool,
        to out: inout ByteBuffer
    ) {
        out.append(#"{"id":""#)
        out.append(id)
        out.append(#"","object":"response","created_at":"#)
        out.append(decimal: createdAt)
        out.append(#","status":""#)
        out.append(outcome.status)
        out.append(#"","background":false,"error":"#)
        if case .failed(let error) = outcome {
            out.append(
                error.isFromVendor && error.status == 429
                    ? #"{"code":"rate_limit_exceeded""# : #"{"code":"server_error""#
            )
            out.append(#","message":"#)
            out.append(json: error.message)
            out.append("}")
        } else {
            out.append("null")
        }
        out.append(#","incomplete_details":"#)
        if let reason = outcome.incompleteReason {
            out.append(#"{"reason":""#)
            out.append(reason)
            out.append(#""}"#)
        } else {
            out.append("null")
        }
        out.append(#","model":"#)
        out.append(json: model)
        out.append(",")
        out.append(echo.bytes)
        out.append(isStored ? #","store":true,"output":["# : #","store":false,"output":["#)
        out.append(output)
        out.append("]")
        if let usage {
            out.append(#","usage":"#)
            usage.appendResponseJSON(to: &out)
        }
        out.append("}")
    }
}

extension ResponseObject.Outcome {
    var status: StaticString {
        switch self {
        case .inProgress: "in_progress"
        case .failed: "failed"
        case .finished: isWhole ? "completed" : "incomplete"
        }
    }

    /// Nothing was cut off.
    var isWhole: Bool { incompleteReason == nil }

    /// Of the item that is the last one.
    var itemStatus: StaticString {
        if case .finished(.length) = self { "incomplete" } else { "completed" }
    }

    fileprivate var incompleteReason: StaticString? {
        switch self {
        case .finished(.length): "max_output_tokens"
        case .finished(.contentFilter), .finished(.refusal): "content_filter"
        default: nil
        }
    }
}

extension Usage {
    /// As responses name it.
    func appendResponseJSON(to out: inout ByteBuffer) {
        out.append(#"{"input_tokens":"#)
        out.append(decimal: promptTokens)
        out.append(#","input_tokens_details":{"cached_tokens":"#)
        out.append(decimal: cachedTokens)
        out.append(#","cache_write_tokens":"#)
        out.append(decimal: cacheWriteTokens)
        out.append(#"},"output_tokens":"#)
        out.append(decimal: completionTokens)
        out.append(#","output_tokens_details":{"reasoning_tokens":"#)
        out.append(decimal: reasoningTokens)
        out.append(#"},"total_tokens":"#)
        out.append(decimal: totalTokens)
        out.append("}")
    }
}
