/// A query for records of requests, as the operator's list sends it.
package struct RecordQuery: Sendable {
    package var filter = RecordFilter()
    package var order = RecordOrder.id
    package var isDescending = true
    /// The number of records per page, at most `maxRecords`.
    package var recordsPerPage = 10
    /// The number of the page, from 1.
    package var page = 1

    package static let maxRecords = 200
    /// The largest number of matching records that are counted individually.
    package static let maxTotal = 10_000

    package init() {}
}

/// The conditions for records of requests. A field that is nil is no condition.
package struct RecordFilter: Sendable, Equatable {
    /// The result of a request.
    package enum Outcome: Sendable, Equatable {
        case completed
        case failed
        /// The HTTP status of the response to the client.
        case status(Int)
    }

    package var caller: String?
    /// The model that the request named.
    package var model: String?
    /// The name of the provider that was called last.
    package var provider: String?
    /// The route by its name in metrics, such as `/chat/completions`.
    package var endpoint: String?
    package var outcome: Outcome?
    /// The earliest end of a request that matches, in milliseconds since 1970.
    package var fromMilliseconds: Int?
    /// The time before which matching requests ended, in milliseconds since 1970.
    package var toMilliseconds: Int?
    /// The lowest cost that matches. Requests of unknown cost do not match.
    package var minCost: Cost?
    /// The shortest duration that matches.
    package var minDurationMilliseconds: Int?
    /// A text that the request's id, caller, model, provider, endpoint or error contains. The case of ASCII letters is
    /// ignored.
    package var keywords: String?
    /// The id before which records match: only older records do.
    package var before: RecordID?

    /// The length of `keywords` that is searched for, in bytes.
    package static let maxKeywordBytes = 200

    package init() {}

    /// Whether no index helps with the filter, so that the records are read one by one.
    var readsRecords: Bool { keywords != nil || minCost != nil || minDurationMilliseconds != nil }
}

/// The field by which a list of records is sorted.
package enum RecordOrder: String, CaseIterable, Sendable {
    case id
    case time
    case caller = "token"
    case model
    case provider = "service_provider"
    case promptTokens = "prompt"
    case completionTokens = "completion"
    case cost = "quota"
    case endpoint = "uri"
    case duration
    case status
}

/// The result of a query for records.
package struct RecordPage: Sendable {
    /// The records of the page, in the requested order.
    package var records: [StoredRecord] = []
    /// The number of records that match the filter, as far as they were counted.
    package var total = 0
    /// Whether more records may match than `total`.
    package var isTotalBound = false
    /// Whether the time ended before all records were searched.
    package var isPartial = false
    /// The id to pass as `before` to continue the search; nil if it is complete.
    package var continuation: RecordID?

    package init() {}

    /// Sets the continuation: after the last record of a full page, else after the last record that was searched.
    mutating func goOn(after position: RecordID?, _ query: RecordQuery) {
        let isFull = query.order == .id && records.count >= query.recordsPerPage
        continuation = isFull ? records.last?.id : position
    }
}

/// A stored record of a request.
package struct StoredRecord: Sendable {
    package let id: RecordID
    /// The record. Its subject is `.request`, even if a database stores the only call in the same row.
    package let request: UsageRecord
    /// The status of the vendor's last response; nil if no call had a response.
    package var lastCallStatus: Int?

    init(_ id: RecordID, _ request: UsageRecord, lastCallStatus: Int? = nil) {
        self.id = id
        self.request = request
        self.lastCallStatus = lastCallStatus
    }
}

/// A stored record of a request, with those of its calls.
package struct StoredRequest: Sendable {
    package let record: StoredRecord
    /// The records of the calls, in the order of their ends. Each has the subject `.call`.
    package let calls: [UsageRecord]
    /// The stored body of the request; nil if none was stored.
    package var requestBody: String?
    /// The body of the response as it was kept; nil if it was not.
    package var responseBody: String?

    init(record: StoredRecord, calls: [UsageRecord]) {
        self.record = record
        self.calls = calls
    }
}
