/// A receiver of the values of a database row, in the order of the columns.
protocol UsageCells {
    mutating func add(_ number: Int?)
    mutating func add(_ flag: Bool)
    /// Adds a text of any length, or NULL if the text is nil.
    mutating func add(_ text: String?)
}

extension UsageRecord {
    /// The largest length of a stored text, in bytes. Longer texts are cut.
    static let textBound = 1_000

    /// Writes the record's values in the order of `UsageSchema.columns`. Token numbers above a maximum are reduced to
    /// it. If the record combines a request with its only call, writes the values of the request.
    func write(to cells: inout some UsageCells) {
        let (kind, key, credits) =
            switch subject {
            case .request, .requestWithCall: (0, nil as String?, nil as Int?)
            case .call(let key, let credits): (1, key, credits)
            }
        cells.add(timeMilliseconds)
        cells.add(kind)
        cells.add(requestID)
        cells.add(endpoint)
        cells.add(caller)
        cells.add(model)
        cells.add(modelUsed)
        cells.add(provider)
        cells.add(key)
        cells.add(keptPromptTokens)
        cells.add(keptCompletionTokens)
        cells.add(isEstimated)
        cells.add(cost?.millionths)
        cells.add(credits)
        cells.add(durationMilliseconds)
        cells.add(attempts)
        cells.add(isStreamed)
        cells.add(isCached)
        cells.add(isSuccess)
        cells.add(status.map { Int(Int32(clamping: $0)) })
        cells.add(error)
        cells.add(firstByteMilliseconds)
        let isOfRequest = kind == 0
        cells.add(isOfRequest ? limitsWaitMilliseconds : nil)
        cells.add(isOfRequest ? capacityWaitMilliseconds : nil)
        cells.add(limits)
        cells.add(session)
        cells.add(isRebuilt)
        cells.add(keptCachedTokens)
        cells.add(keptCacheWrites)
        cells.add(keptLongCacheWrites)
        cells.add(usage.serviceTier?.rawValue)
        cells.add(usage.toolUses.text)
        cells.add(bill?.bill)
        cells.add(loweredMaxTokens)
    }

    /// Writes the values of a request's only call in the order of `UsageSchema.callColumns`.
    ///
    /// Writes NULL values if this record does not combine a request with its only call.
    func writeCall(to cells: inout some UsageCells) {
        guard case .requestWithCall(let call) = subject else {
            for _ in UsageSchema.callColumns { cells.add(nil as Int?) }
            return
        }
        cells.add(timeMilliseconds - call.timeMilliseconds)
        cells.add(call.durationMilliseconds)
        cells.add(call.key)
        cells.add(call.credits)
    }
}
