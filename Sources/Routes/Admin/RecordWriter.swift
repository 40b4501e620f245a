import Engine
import Shared
import Upstream
import UsageRecords

/// A writer of request records as JSON for the admin API.
struct RecordWriter {
    /// The vendor and label of each provider, such as `openai_groq-1`, by the provider's name.
    private let services: [String: String]
    /// The masked token of each known key, by the name of the key.
    private let tokens: [String: String]

    init(_ visit: AdminVisit) {
        let settings = visit.gateway.settings
        services = Dictionary(
            settings.providers.map { ($0.name, "\($0.kind.rawValue)_\($0.label)") },
            uniquingKeysWith: { first, _ in first }
        )
        tokens = visit.admin.listing.withLock { $0.tokens }
    }

    /// Returns a record as JSON, without the bodies of the request and the response.
    func json(_ record: StoredRecord) -> JSONFragment { json(record, nil) }

    /// Returns a request's record as JSON, with the upstream calls and the bodies of the request and the response.
    func json(_ found: StoredRequest) -> JSONFragment { json(found.record, found) }

    private func json(_ record: StoredRecord, _ found: StoredRequest?) -> JSONFragment {
        let request = record.request
        let started = request.timeMilliseconds - request.durationMilliseconds
        let status = record.lastCallStatus.map { "\($0)" } ?? ""
        return #"""
            {"id":\#(record.id),"time":\#(time: started),"req_id":\#(request.requestID),\#
            "service_provider":\#(service(request.provider)),"token":\#(token(request.caller)),\#
            "caller":\#(request.caller),"model":\#(request.model),"model_used":\#(request.modelUsed),\#
            "provider":\#(request.provider),"prompt":\#(request.promptTokens),\#
            "completion":\#(request.completionTokens)\#(members: details(request.usage)),\#
            "quota":\#(number: request.cost?.text),"uri":\#(request.endpoint),"request_data":\#(found?.requestBody),\#
            "response_data":\#(found?.responseBody),"api_status":\#(status),\#
            "api_error":\#(request.error),"status":\#(request.isSuccess ? "completed" : "failed"),\#
            "http_status":\#(request.status),"duration_ms":\#(request.durationMilliseconds),\#
            "attempts":\#(request.attempts),"stream":\#(request.isStreamed),"cached":\#(request.isCached),\#
            "estimated":\#(request.isEstimated),"created_at":\#(time: started),\#
            "updated_at":\#(time: request.timeMilliseconds),"md5":\#(Digest(of: request.requestID).hexadecimal(bytes: 16)),\#
            "ttfb_ms":\#(request.firstByteMilliseconds),"wait_limits_ms":\#(request.limitsWaitMilliseconds),\#
            "wait_capacity_ms":\#(request.capacityWaitMilliseconds)\#(members: request.listed),\#
            "limits":\#(request.limits?.split(separator: "; ").map(String.init) ?? [])\#
            \#(member: "calls", found.map { $0.calls.map(json(call:)) })}
            """#
    }

    private func json(call: UsageRecord) -> JSONFragment {
        #"""
        {"time":\#(time: call.timeMilliseconds - call.durationMilliseconds),"provider":\#(call.provider),\#
        "key":\#(call.key),"model":\#(call.modelUsed),"duration_ms":\#(call.durationMilliseconds),\#
        "status":\#(call.status),"error":\#(call.error),"prompt":\#(call.promptTokens),\#
        "completion":\#(call.completionTokens)\#(members: details(call.usage)),\#
        "quota":\#(number: call.cost?.text),"estimated":\#(call.isEstimated),\#
        "bill":\#((call.bill?.lines ?? []).map(JSONFragment.init(line:)))\#
        \#(member: "cost_is_partial", call.isCostPartial ? true : nil)}
        """#
    }

    private func details(_ usage: Usage) -> [(name: String, value: JSONFragment)] {
        [
            ("cached_tokens", "\(usage.cachedTokens)"), ("cache_writes", "\(usage.cacheWriteTokens)"),
            ("cache_writes_1h", "\(usage.longCacheWriteTokens)"), ("service_tier", "\(usage.serviceTier?.rawValue)"),
            ("tool_uses", "\(number: usage.toolUses.json ?? "{}")"),
        ]
    }

    func json(running request: RunningRequest) -> JSONFragment {
        let now = Timestamp.now()
        return #"""
            {"id":null,"time":\#(time: now - request.ageMilliseconds),"req_id":\#(request.id),\#
            "service_provider":\#(service(request.provider)),"token":\#(token(request.caller)),\#
            "caller":\#(request.caller),"model":\#(request.model),"provider":\#(request.provider),"prompt":0,\#
            "completion":0,"quota":null,"uri":\#(request.endpoint),"request_data":null,"response_data":null,\#
            "api_status":"","api_error":null,"status":"running","duration_ms":\#(request.ageMilliseconds),\#
            "created_at":\#(time: now - request.ageMilliseconds),"updated_at":\#(time: now),\#
            "md5":\#(Digest(of: request.id).hexadecimal(bytes: 16))}
            """#
    }

    private func service(_ provider: String?) -> String { provider.map { services[$0] ?? $0 } ?? "" }

    /// Returns the masked token of a known caller, or the beginning of another caller's digest. Returns an empty text
    /// for nil.
    private func token(_ caller: String?) -> String { caller.map { tokens[$0] ?? String($0.prefix(12)) } ?? "" }
}
