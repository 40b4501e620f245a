import Engine
import Shared
import Upstream

/// The members of a response object that are equal in all events of its stream.
struct ResponseObject: Sendable {
    /// The random part of the response's id. The ids of its output items contain this part, too.
    let seed: String
    private(set) var createdAt: Int
    private(set) var model: String
    let echo: Body
    /// The id of the response that the vendor has begun; nil for the relay's own.
    private var vendorID: String?

    init(seed: String, createdAt: Int, model: String, echo: Body) {
        self.seed = seed
        self.createdAt = createdAt
        self.model = model
        self.echo = echo
    }

    /// Takes over the id, the model and the time of a response that the vendor has begun.
    mutating func adopt(_ begun: RawJSON) {
        vendorID = begun["id"]?.content?.text ?? vendorID
        model = begun["model"]?.content?.text ?? model
        createdAt = begun["created_at"].flatMap { Int($0.bytes.text) } ?? createdAt
    }

    enum Outcome: Sendable {
        case inProgress
        case finished(FinishReason)
        case failed(APIError)
    }

    var id: String { vendorID ?? "resp_\(seed)" }

    func itemID(_ type: ItemType, _ index: Int) -> String { "\(type.rawValue)\(seed)\(index)" }

    /// Appends the response object as JSON.
    /// - Parameter output: the output items as JSON, separated by commas.
    func append(
        _ outcome: Outcome,
        output: UnsafeRawBufferPointer,
        _ usage: Usage?,
        isStored: Bool,
        to out: inout ByteBuffer
    ) {
        out.append(#"{"id":""#)
        out.append(id)
        out.append(#"","object":"response","created_at":"#, decimal: createdAt)
        out.append(#","status":""#, outcome.status, #"","background":false,"error":"#)
        if case .failed(let error) = outcome {
            out.append(#"{"code":"#, json: Self.code(of: error))
            out.append(#","message":"#, json: error.message, "}")
        } else {
            out.append("null")
        }
        out.append(#","incomplete_details":"#)
        if let reason = outcome.incompleteReason {
            out.append(#"{"reason":""#, reason, #""}"#)
        } else {
            out.append("null")
        }
        out.append(#","model":"#, json: model, ",")
        out.append(echo.bytes)
        out.append(#","service_tier":"#, json: usage?.openAITier ?? "default")
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

extension ResponseObject {
    /// Returns the code of a failed response.
    private static func code(of error: APIError) -> String {
        if error.isOfContextLength { return APIError.contextLengthCode }
        if let code = error.code, APIError.codesOfImages.contains(code) { return code }
        return error.isFromVendor && error.status == 429 ? "rate_limit_exceeded" : "server_error"
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

    /// Whether the output was not cut short; false after a token limit, a content filter or a refusal.
    var isWhole: Bool { incompleteReason == nil }

    /// The value of `status` for the response's last output item.
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
    /// The service tier that the vendor reported, in OpenAI's word; nil for the default one, and for another vendor's own.
    var openAITier: String? {
        guard let tier = serviceTier?.rawValue, ["flex", "scale", "priority"].contains(tier) else { return nil }
        return tier
    }

    /// Appends the usage as a JSON object of the Responses API.
    func appendResponseJSON(to out: inout ByteBuffer) {
        out.append(#"{"input_tokens":"#, decimal: promptTokens)
        out.append(#","input_tokens_details":{"cached_tokens":"#, decimal: cachedTokens)
        out.append(#","cache_write_tokens":"#, decimal: cacheWriteTokens)
        out.append(#"},"output_tokens":"#, decimal: completionTokens)
        out.append(#","output_tokens_details":{"reasoning_tokens":"#, decimal: reasoningTokens)
        out.append(#"},"total_tokens":"#, decimal: totalTokens, "}")
    }
}
