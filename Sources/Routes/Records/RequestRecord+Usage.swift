import Engine
import Shared
import Upstream
import UsageRecords

extension RequestRecord {
    /// Returns the usage record of the request. Does not change this record.
    mutating func usageRecord(
        _ calls: some Collection<CallRecord> = [],
        _ billing: Billing? = nil,
        limits: String? = nil,
        session: String? = nil,
        counts: LoopMetrics,
        at now: LoopTime
    ) -> UsageRecord {
        let isSuccess = (200..<400).contains(status)
        let server = billing?.server
        // Texts that are set later would each cost a call that releases the text before.
        var whole = UsageRecord(
            at: Timestamp.now(),
            .request,
            requestID: givenID ?? id,
            endpoint: endpoint(counts),
            caller: caller,
            model: model?.beginning(ofBytes: Self.maxBytes),
            modelUsed: isSuccess || provider == server?.provider ? server?.modelUsed : nil,
            provider: isSuccess ? server?.provider : provider ?? server?.provider,
            error: isSuccess && cause != UsageRecord.budgetCause
                ? nil : (cause ?? plainCause).beginning(ofBytes: Self.maxBytes),
            limits: limits,
            session: session
        )
        // An incomplete response was used as far as it was delivered.
        whole.usage = usage ?? calls.delivered
        whole.isEstimated = calls.contains { $0.recordedUsage.isEstimated }
        whole.isExact = whole.isEstimated && calls.allSatisfy(\.recordedUsage.isExactIfOwn)
        whole.cost = cost
        whole.durationMilliseconds = now.milliseconds(since: startedAt)
        whole.attempts = provider == nil ? 0 : billing?.allAttempts ?? 0
        whole.isStreamed = isStreamed ?? false
        whole.isCached = isCached
        whole.isSuccess = isSuccess
        whole.isRebuilt = calls.contains { $0.isRebuilt }
        whole.loweredMaxTokens = billing?.loweredBound
        whole.status = status
        return whole
    }

    func usageRecord(_ call: CallRecord, _ counts: LoopMetrics, at now: LoopTime) -> UsageRecord {
        let name = call.server.name
        var record = UsageRecord(
            at: Timestamp.now() - now.milliseconds(since: call.endedAt),
            .call(key: call.key, credits: call.credits),
            requestID: givenID ?? id,
            endpoint: endpoint(counts),
            caller: caller,
            model: name.isEmpty ? nil : name.beginning(ofBytes: Self.maxBytes),
            modelUsed: call.server.modelUsed,
            provider: call.server.provider,
            error: call.error.map(error(ofCall:))
        )
        record.usage = call.recordedUsage
        record.cost = call.cost
        if record.cost != nil { record.bill = call }
        record.durationMilliseconds = call.durationMilliseconds
        record.isSuccess = call.error == nil
        record.isRebuilt = call.isRebuilt
        record.status = call.status
        return record
    }

    private func error(ofCall error: String) -> String {
        let isEnded = status == 499 || cause == Self.relayEnded
        return isEnded && error == "cancelled" ? cause ?? plainCause : error.beginning(ofBytes: Self.maxBytes)
    }

    private func endpoint(_ counts: LoopMetrics) -> String? { route == nil ? nil : counts.routeName(routeLabel) }

    /// The cause of a request with status 499.
    static let clientLeft = "the client left"
    /// The cause of a request that ran when the shutdown was over.
    static let relayEnded = "the relay shut down"

    private var plainCause: String { status == 499 ? Self.clientLeft : "returned status \(status)" }

    /// The longest text from a client or vendor that a usage record keeps, in bytes.
    private static let maxBytes = 300
}

extension UsageRecord {
    /// Merges the record of the only upstream call into this record of the request.
    /// - Returns: false, without a change, if the records cannot be merged.
    mutating func add(_ call: CallRecord, at now: LoopTime) -> Bool {
        guard isSuccess, call.error == nil, status == call.status, usage.isRecorded(like: call.recordedUsage),
            cost == call.cost, isRebuilt == call.isRebuilt, model.isSame(as: call.server.name),
            modelUsed.isSame(as: call.server.model), provider.isSame(as: call.server.provider)
        else { return false }
        if cost != nil { bill = call }
        subject = .requestWithCall(
            OnlyCall(
                at: timeMilliseconds - now.milliseconds(since: call.endedAt),
                durationMilliseconds: call.durationMilliseconds,
                key: call.key,
                credits: call.credits
            )
        )
        return true
    }
}

extension Billing.Server {
    /// The vendor's name of the model; nil if the call concerns no model.
    fileprivate var modelUsed: String? { model.isEmpty ? nil : model }
}

extension Collection<CallRecord> {
    /// The tokens that all calls in this array used together.
    fileprivate var delivered: Usage {
        reduce(into: Usage.nothing) {
            $0.promptTokens += $1.usage.promptTokens
            // Calls for media share their prompt.
            if $1.usage.totalTokens == 0 { $0.promptTokens = Swift.max($0.promptTokens, $1.recordedUsage.promptTokens) }
            $0.completionTokens += $1.usage.completionTokens
        }
    }
}

extension String? {
    /// Returns whether this optional string equals `name`, byte by byte. A nil string equals an empty `name`.
    fileprivate func isSame(as name: String) -> Bool {
        guard let self else { return name.isEmpty }
        return self.hasSameBytes(as: name)
    }
}
