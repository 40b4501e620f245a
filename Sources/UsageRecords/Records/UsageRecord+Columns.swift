import Engine
import Shared

extension UsageRecord {
    /// The columns of a usage record, in the order of lines of JSON. Money is in picodollars, `time` in milliseconds
    /// since 1970. `kind` is 0 for a request and 1 for an upstream call. `call_before_ms` is the time from the end of the
    /// only call to the end of its request; NULL if the row has no call.
    static let columns: [UsageColumn] = ofRequestAndCall + ofUse + ofOutcome + ofOnlyCall

    private static let ofRequestAndCall: [UsageColumn] = [
        UsageColumn("time", .number(\.timeMilliseconds) { $0.timeMilliseconds = $1 ?? 0 }, [.unwritten, .summed]),
        UsageColumn(
            "kind",
            .number({ $0.isOfRequest ? 0 : 1 }) { if $1 == 1 { $0.subject = .call(key: nil, credits: nil) } },
            [.ofCall, .summed],
            type: "smallint"
        )
        .written { _ in "\"call\"" },
        UsageColumn("request_id", .text(\.requestID) { $0.requestID = $1 ?? "" }, .held),
        UsageColumn("endpoint", .text(\.endpoint) { $0.endpoint = $1 }, .summed),
        UsageColumn("caller", .text(\.caller) { $0.caller = $1 }, [.held, .summed]),
        UsageColumn("session", .text(\.session) { $0.session = $1 }, [.ofRequest, .held, .sparse, .listed]),
        UsageColumn("end_user", .text(\.endUser) { $0.endUser = $1 }, [.ofRequest, .held, .sparse, .listed])
            .added(as: 1, member: "user"),
        UsageColumn("model", .text(\.model) { $0.model = $1 }, [.held, .summed]),
        UsageColumn("model_used", .text(\.modelUsed) { $0.modelUsed = $1 }, .held),
        UsageColumn("provider", .text(\.provider) { $0.provider = $1 }, .summed),
        UsageColumn("key", .text(\.key) { $0.key = $1 }, .ofCall),
    ]

    private static let ofUse: [UsageColumn] = [
        UsageColumn("prompt_tokens", .number(\.keptPromptTokens) { $0.promptTokens = $1 ?? 0 }, .summed),
        UsageColumn("completion_tokens", .number(\.keptCompletionTokens) { $0.completionTokens = $1 ?? 0 }, .summed),
        UsageColumn("tokens", .number({ $0.keptPromptTokens + $0.keptCompletionTokens }) { _, _ in }, .derived),
        UsageColumn(
            "cached_tokens",
            .number(\.keptCachedTokens) { $0.usage.cachedTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn(
            "cache_writes",
            .number(\.keptCacheWrites) { $0.usage.cacheWriteTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn(
            "cache_writes_1h",
            .number(\.keptLongCacheWrites) { $0.usage.longCacheWriteTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn("service_tier", .text({ $0.usage.serviceTier?.rawValue }, setServiceTier), .sparse),
        UsageColumn("tool_uses", .text({ $0.usage.toolUses.text }, setToolUses))
            .written { $0.usage.toolUses.json.map { JSONFragment(stringLiteral: $0) } },
        UsageColumn("cost", .number({ $0.cost?.picodollars }) { $0.cost = $1.map { Cost(picodollars: $0) } }, .summed)
            .written { JSONFragment(stringLiteral: $0.cost?.text ?? "null") },
        UsageColumn("credits", .number(\.credits) { $0.credits = $1 }, .ofCall).written { $0.credits.map { "\($0)" } },
        UsageColumn("bill", .text({ $0.bill?.bill }) { $0.bill = $1.map { StoredBill($0) } }, .unwritten),
    ]

    @Sendable private static func setServiceTier(_ record: inout UsageRecord, _ word: String?) {
        record.usage.serviceTier = word.flatMap { ServiceTier(word: $0) }
    }

    @Sendable private static func setToolUses(_ record: inout UsageRecord, _ text: String?) {
        if let text { record.usage.toolUses = ToolUses(text: text) }
    }

    private static let ofOutcome: [UsageColumn] = [
        UsageColumn("duration_ms", .number(\.durationMilliseconds) { $0.durationMilliseconds = $1 ?? 0 }, .summed),
        UsageColumn("attempts", .number(\.attempts) { $0.attempts = $1 ?? 0 }, .ofRequest),
        UsageColumn("stream", .flag(\.isStreamed) { $0.isStreamed = $1 }, .ofRequest),
        UsageColumn("cached", .flag(\.isCached) { $0.isCached = $1 }, .ofRequest),
        UsageColumn("success", .flag(\.isSuccess) { $0.isSuccess = $1 }, .summed),
        UsageColumn("status", .number(\.keptStatus) { $0.status = $1 }, .summed, type: "integer"),
        UsageColumn("error", .text(\.error) { $0.error = $1 }, .held),
        UsageColumn(
            "first_byte_ms",
            .number(\.firstByteMilliseconds) { $0.firstByteMilliseconds = $1 },
            [.ofRequest, .unwritten, .summed]
        ),
        UsageColumn(
            "limits_wait_ms",
            .number({ $0.isOfRequest ? $0.limitsWaitMilliseconds : nil }) { $0.limitsWaitMilliseconds = $1 ?? 0 },
            [.ofRequest, .unwritten]
        ),
        UsageColumn(
            "capacity_wait_ms",
            .number({ $0.isOfRequest ? $0.capacityWaitMilliseconds : nil }) { $0.capacityWaitMilliseconds = $1 ?? 0 },
            [.ofRequest, .unwritten]
        ),
        UsageColumn("limits", .text(\.limits) { $0.limits = $1 }, [.ofRequest, .unwritten, .held]),
        UsageColumn(
            "lowered_max_tokens",
            .number(\.loweredMaxTokens) { $0.loweredMaxTokens = $1 },
            [.ofRequest, .sparse, .listed]
        ),
        UsageColumn("rebuilt", .flag(\.isRebuilt) { $0.isRebuilt = $1 }, [.sparse, .listed]),
        UsageColumn("cost_is_partial", .flag(\.isCostPartial) { _, _ in }, [.sparse, .derived]),
        UsageColumn("exact", .flag({ $0.isEstimated && $0.isExact }) { _, _ in }, [.sparse, .derived]),
        UsageColumn("estimated", .flag(\.isEstimated) { $0.isEstimated = $1 }, .sparse),
    ]

    private static let ofOnlyCall: [UsageColumn] = [
        UsageColumn("call_before_ms", .number(\.callBeforeMilliseconds, setCall), [.onlyCall, .unwritten, .summed]),
        UsageColumn(
            "call_duration_ms",
            .number({ $0.combined?.durationMilliseconds }) { $0.combined?.durationMilliseconds = $1 ?? 0 },
            [.onlyCall, .unwritten]
        ),
        UsageColumn("call_key", .text({ $0.combined?.key }) { $0.combined?.key = $1 }, [.onlyCall, .unwritten]),
        UsageColumn(
            "call_credits",
            .number({ $0.combined?.credits }) { $0.combined?.credits = $1 },
            [.onlyCall, .unwritten]
        ),
    ]

    private var callBeforeMilliseconds: Int? { combined.map { timeMilliseconds - $0.timeMilliseconds } }

    @Sendable private static func setCall(_ record: inout UsageRecord, before: Int?) {
        guard let before, record.isOfRequest else { return }
        let time = record.timeMilliseconds &- before
        record.combined = OnlyCall(at: time, durationMilliseconds: 0, key: nil, credits: nil)
    }
}
