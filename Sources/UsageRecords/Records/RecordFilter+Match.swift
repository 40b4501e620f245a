import Engine
import Shared

extension RecordFilter {
    /// Returns whether a request's id is below the filter's bound `before`. Also true if there is no bound or it is not
    /// a `.number`.
    func includes(_ id: Int) -> Bool {
        if case .number(let before)? = before { id < before } else { true }
    }

    /// Returns whether a request's record matches this filter. The rules are the same as in `FilterSQL`.
    /// - Parameter search: the search for the filter's keywords; nil if the filter has no keywords.
    func matches(_ record: UsageRecord, _ search: KeywordSearch?) -> Bool {
        if let session, session != record.session { return false }
        if let endUser, endUser != record.endUser { return false }
        for (field, wanted) in texts where wanted != record[field] { return false }
        switch outcome {
        case .completed: if !record.isSuccess { return false }
        case .failed: if record.isSuccess { return false }
        case .failure: if !record.isFailure { return false }
        case .refusal: if !record.isRefusal { return false }
        case .clientError: if record.isSuccess || record.isFailure || record.isRefusal { return false }
        case .budget: if !record.isOfBudget { return false }
        case .status(let status): if record.status != status { return false }
        case nil: break
        }
        if let fromMilliseconds, record.timeMilliseconds < fromMilliseconds { return false }
        if let toMilliseconds, record.timeMilliseconds >= toMilliseconds { return false }
        if let minCost, record.cost.map({ $0 < minCost }) ?? true { return false }
        if let minDurationMilliseconds, record.durationMilliseconds < minDurationMilliseconds { return false }
        guard let search else { return true }
        return [record.requestID, record.caller, record.model, record.provider, record.endpoint, record.error]
            .contains { $0.map(search.finds) ?? false }
    }
}

extension UsageRecord {
    /// Whether a provider or the relay failed to serve the request. A vendor without credit, or with a rate limit of its
    /// own, has failed.
    var isFailure: Bool {
        !isSuccess && (status ?? 0 >= 500 || provider != nil && (status == 402 || status == 429))
    }
    /// The cause in records of responses that ended because a budget was used up. They are no failures.
    package static let budgetCause = "budget"

    /// The cause in sums of responses whose bound a budget lowered, unless they failed or the budget ended them.
    static let loweredCause = "lowered by a budget"

    /// Whether a budget ended the response, or lowered its bound.
    var isOfBudget: Bool { error == Self.budgetCause || loweredMaxTokens != nil }

    /// Whether a limit of the relay refused the request.
    var isRefusal: Bool { !isSuccess && status == 429 && provider == nil }
}

/// A search for keywords in texts. It ignores the case of ASCII letters.
struct KeywordSearch {
    /// The keywords, with ASCII letters in lower case.
    let lowercased: [UInt8]

    init(_ keywords: String) {
        lowercased = keywords.beginning(ofBytes: RecordFilter.maxKeywordBytes).utf8.map(Self.lower)
    }

    func finds(in text: String) -> Bool {
        lowercased.withUnsafeBytes { lowercased in text.withBytes { Self.finds(lowercased, in: $0) } }
    }

    static func finds(_ lowercased: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= lowercased.count else { return false }
        for start in 0...(text.count - lowercased.count) {
            var length = 0
            while length < lowercased.count, lower(text[start + length]) == lowercased[length] { length += 1 }
            if length == lowercased.count { return true }
        }
        return false
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}

extension PageCollector.SortValue {
    /// Creates the value by which a record is sorted in a list with this order.
    init(_ record: UsageRecord, _ column: UsageColumn?) {
        switch column?.value {
        case .number(let get, _): number = get(record)
        case .text(let get, _): text = get(record)
        case .flag, nil: break
        }
    }
}
