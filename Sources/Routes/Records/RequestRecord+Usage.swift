import Calls
import Engine
import Glibc
import Shared

extension RequestRecord {
    /// Returns the usage record of the request. The function is `mutating` only to avoid a copy; it does not change the
    /// record.
    ///
    /// - Parameters:
    ///   - calls: the upstream calls of the request.
    ///   - callLedger: the ledger of these calls; nil if the request has no ledger.
    ///   - counts: the metrics, which contain the names of routes.
    mutating func usageRecord(
        _ calls: [CallRecord],
        _ callLedger: CallLedger?,
        counts: LoopMetrics,
        at now: LoopTime
    ) -> UsageRecord {
        var whole = record(.request, at: Timestamp.now(), model: model, counts)
        if let server = callLedger?.server {
            whole.modelUsed = server.model.isEmpty ? nil : server.model
            whole.provider = server.provider
        }
        let delivered = calls.reduce(into: Usage.nothing) {
            $0.promptTokens += $1.usage.promptTokens
            $0.completionTokens += $1.usage.completionTokens
        }
        // An incomplete response was used as far as it was delivered.
        let used = usage ?? delivered
        whole.promptTokens = used.promptTokens
        whole.completionTokens = used.completionTokens
        whole.isEstimated = calls.contains { $0.isEstimated }
        whole.isExact = whole.isEstimated && calls.allSatisfy { !$0.isEstimated || $0.usage.isExact }
        whole.cost = cost
        whole.durationMilliseconds = now.milliseconds(since: startedAt)
        whole.attempts = provider == nil ? 0 : callLedger?.allAttempts ?? 0
        whole.isStreamed = isStreamed ?? false
        whole.isCached = isCached
        whole.isSuccess = (200..<400).contains(status)
        whole.status = status
        whole.error = whole.isSuccess ? nil : (cause ?? plainCause).beginning(ofBytes: Self.maxBytes)
        return whole
    }

    /// Returns the usage record of one upstream call.
    func usageRecord(_ call: CallRecord, _ counts: LoopMetrics) -> UsageRecord {
        let name = call.server.name
        var record = record(
            .call(key: call.key, credits: call.credits),
            at: call.endMilliseconds,
            model: name.isEmpty ? nil : name,
            counts
        )
        record.modelUsed = call.server.model.isEmpty ? nil : call.server.model
        record.provider = call.server.provider
        record.promptTokens = call.usage.promptTokens
        record.completionTokens = call.usage.completionTokens
        record.isEstimated = call.isEstimated
        record.isExact = call.usage.isExact
        record.cost = call.cost
        record.durationMilliseconds = call.durationMilliseconds
        record.isSuccess = call.error == nil
        record.status = call.status
        record.error = call.error?.beginning(ofBytes: Self.maxBytes)
        return record
    }

    private func record(
        _ subject: UsageRecord.Subject,
        at milliseconds: Int,
        model: String?,
        _ counts: LoopMetrics
    ) -> UsageRecord {
        UsageRecord(
            at: milliseconds,
            subject,
            requestID: givenID ?? id,
            endpoint: route == nil ? nil : counts.routeName(routeLabel),
            caller: caller,
            model: model?.beginning(ofBytes: Self.maxBytes)
        )
    }

    private var plainCause: String { status == 499 ? "the client disconnected" : "returned status \(status)" }

    /// The longest text from a client or vendor that a usage record keeps, in bytes.
    private static let maxBytes = 300
}

extension UsageRecord {
    /// Merges the record of the request's only upstream call into this record of the request.
    ///
    /// - Returns: false, without a change, if the two records differ in data that a merged record has only once.
    mutating func add(_ call: CallRecord) -> Bool {
        guard isSuccess, call.error == nil, status == call.status, timeMilliseconds >= call.endMilliseconds,
            promptTokens == call.usage.promptTokens, completionTokens == call.usage.completionTokens,
            isEstimated == call.isEstimated, isExact == call.usage.isExact, cost == call.cost,
            model.isSame(as: call.server.name), modelUsed.isSame(as: call.server.model),
            provider.isSame(as: call.server.provider)
        else { return false }
        subject = .requestWithCall(
            OnlyCall(
                at: call.endMilliseconds,
                durationMilliseconds: call.durationMilliseconds,
                key: call.key,
                credits: call.credits
            )
        )
        return true
    }
}

extension String? {
    /// Returns whether the string has exactly the bytes of `name`. Nil counts as the empty string.
    fileprivate func isSame(as name: String) -> Bool {
        guard var text = self else { return name.isEmpty }
        var name = name
        return text.withUTF8 { text in
            name.withUTF8 { name in
                guard let first = text.baseAddress, let second = name.baseAddress, !text.isEmpty else { return false }
                return text.count == name.count && memcmp(first, second, text.count) == 0
            }
        }
    }
}
