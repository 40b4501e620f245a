/// A row of a database table. Its columns are accessed by position.
protocol UsageRow {
    func number(at position: Int) -> Int?
    func flag(at position: Int) -> Bool
    func text(at position: Int) -> String?
}

extension UsageRecord {
    /// Creates a usage record from a row of the database.
    ///
    /// - Parameters:
    ///   - first: the position of the first of `UsageSchema.columns`.
    ///   - call: the position of the first of `UsageSchema.callColumns`; nil if absent.
    init(_ row: some UsageRow, at first: Int = 0, call: Int? = nil) {
        let time = row.number(at: first) ?? 0
        var subject = Subject.request
        if row.number(at: first + 1) == 1 {
            subject = .call(key: row.text(at: first + 8), credits: row.number(at: first + 13))
        } else if let call, let before = row.number(at: call) {
            subject = .requestWithCall(
                OnlyCall(
                    at: time &- before,
                    durationMilliseconds: row.number(at: call + 1) ?? 0,
                    key: row.text(at: call + 2),
                    credits: row.number(at: call + 3)
                )
            )
        }
        self.init(
            at: time,
            subject,
            requestID: row.text(at: first + 2) ?? "",
            endpoint: row.text(at: first + 3),
            caller: row.text(at: first + 4),
            model: row.text(at: first + 5),
            modelUsed: row.text(at: first + 6),
            provider: row.text(at: first + 7),
            error: row.text(at: first + 20)
        )
        promptTokens = row.number(at: first + 9) ?? 0
        completionTokens = row.number(at: first + 10) ?? 0
        isEstimated = row.flag(at: first + 11)
        cost = row.number(at: first + 12).map { Cost(millionths: $0) }
        durationMilliseconds = row.number(at: first + 14) ?? 0
        attempts = row.number(at: first + 15) ?? 0
        isStreamed = row.flag(at: first + 16)
        isCached = row.flag(at: first + 17)
        isSuccess = row.flag(at: first + 18)
        status = row.number(at: first + 19)
        isRebuilt = row.flag(at: first + 26)
        usage.cachedTokens = row.number(at: first + 27) ?? 0
        usage.cacheWriteTokens = row.number(at: first + 28) ?? 0
        usage.longCacheWriteTokens = row.number(at: first + 29) ?? 0
        usage.serviceTier = row.text(at: first + 30).flatMap { ServiceTier(word: $0) }
        if let text = row.text(at: first + 31) { usage.toolUses = ToolUses(text: text) }
        bill = row.text(at: first + 32).map { StoredBill($0) }
        guard row.number(at: first + 1) == 0 else { return }
        firstByteMilliseconds = row.number(at: first + 21)
        limitsWaitMilliseconds = row.number(at: first + 22) ?? 0
        capacityWaitMilliseconds = row.number(at: first + 23) ?? 0
        limits = row.text(at: first + 24)
        session = row.text(at: first + 25)
        loweredMaxTokens = row.number(at: first + 33)
    }
}
