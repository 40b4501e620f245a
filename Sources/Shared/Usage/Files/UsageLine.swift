import Engine

/// A writer of usage records as lines of JSON: one line for a request, and one for each upstream call.
struct UsageLine {
    private var timestamp = Timestamp()

    mutating func append(_ request: FinishedRequest, to out: inout ByteBuffer) {
        for record in request.records { append(record, to: &out) }
    }

    private mutating func append(_ record: UsageRecord, to out: inout ByteBuffer) {
        out.append("{\"time\":\"")
        timestamp.append(milliseconds: record.timeMilliseconds, to: &out)
        if case .call = record.subject { out.append("\",\"kind\":\"call") }
        out.append("\",\"request_id\":", json: record.requestID)
        append(",\"endpoint\":", record.endpoint, to: &out)
        append(",\"caller\":", record.caller, to: &out)
        if let session = record.session { append(",\"session\":", session, to: &out) }
        append(",\"model\":", record.model, to: &out)
        append(",\"model_used\":", record.modelUsed, to: &out)
        append(",\"provider\":", record.provider, to: &out)
        if case .call(let key, _) = record.subject { append(",\"key\":", key, to: &out) }
        append(",\"prompt_tokens\":", record.promptTokens, to: &out)
        append(",\"completion_tokens\":", record.completionTokens, to: &out)
        append(",\"tokens\":", record.promptTokens &+ record.completionTokens, to: &out)
        if record.usage.hasDetails { append(details: record.usage, to: &out) }
        out.append(",\"cost\":")
        if let cost = record.cost { out.append(cost.text) } else { out.append("null") }
        if case .call(_, let credits?) = record.subject { append(",\"credits\":", credits, to: &out) }
        append(",\"duration_ms\":", record.durationMilliseconds, to: &out)
        if record.isOfRequest {
            append(",\"attempts\":", record.attempts, to: &out)
            append(",\"stream\":", record.isStreamed, to: &out)
            append(",\"cached\":", record.isCached, to: &out)
        }
        append(",\"success\":", record.isSuccess, to: &out)
        out.append(",\"status\":")
        if let status = record.status { out.append(decimal: status) } else { out.append("null") }
        append(",\"error\":", record.error, to: &out)
        if let bound = record.loweredMaxTokens { append(",\"lowered_max_tokens\":", bound, to: &out) }
        if record.isRebuilt { append(",\"rebuilt\":", true, to: &out) }
        if record.isCostPartial { append(",\"cost_is_partial\":", true, to: &out) }
        if record.isEstimated, record.isExact { append(",\"exact\":", true, to: &out) }
        if record.isEstimated { append(",\"estimated\":", true, to: &out) }
        out.append("}\n")
    }

    /// Appends the members for cached tokens, the service tier and tool uses, those that are not zero.
    private func append(details usage: Usage, to out: inout ByteBuffer) {
        let counts: [(StaticString, Int)] = [
            (",\"cached_tokens\":", usage.cachedTokens), (",\"cache_writes\":", usage.cacheWriteTokens),
            (",\"cache_writes_1h\":", usage.longCacheWriteTokens),
        ]
        for (name, count) in counts where count > 0 { append(name, count, to: &out) }
        if let tier = usage.serviceTier { append(",\"service_tier\":", tier.rawValue, to: &out) }
        if let uses = usage.toolUses.json {
            out.append(",\"tool_uses\":")
            out.append(uses)
        }
    }

    private func append(_ name: StaticString, _ text: String?, to out: inout ByteBuffer) {
        out.append(name)
        out.append(jsonOrNull: text)
    }

    private func append(_ name: StaticString, _ number: Int, to out: inout ByteBuffer) {
        out.append(name)
        out.append(decimal: number)
    }

    private func append(_ name: StaticString, _ value: Bool, to out: inout ByteBuffer) {
        out.append(name)
        out.append(value ? "true" : "false")
    }
}
