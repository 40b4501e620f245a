/// A question for records of requests, as the list of an operator's page asks it.
package struct RecordQuery: Sendable {
    package var filter = RecordFilter()
    package var order = RecordOrder.id
    package var isDescending = true
    /// The number of records of a page, at most `maxRecords`.
    package var recordsPerPage = 10
    /// The page, from 1.
    package var page = 1

    package static let maxRecords = 200
    /// The most matching records that are counted one by one.
    package static let maxTotal = 10_000

    package init() {}
}

/// The records of requests that somebody looks for. A field that is nil selects nothing.
package struct RecordFilter: Sendable, Equatable {
    /// The end of a request.
    package enum Outcome: Sendable, Equatable {
        case completed
        case failed
        /// The HTTP status of the response to the client.
        case status(Int)
    }

    package var caller: String?
    /// The model that the request named.
    package var model: String?
    /// The provider that was called last.
    package var provider: String?
    /// The route, as metrics name it: `/chat/completions`.
    package var endpoint: String?
    package var outcome: Outcome?
    /// The first end of a request that is included, in milliseconds since 1970.
    package var fromMilliseconds: Int?
    /// The first end of a request that is no longer included, in milliseconds since 1970.
    package var toMilliseconds: Int?
    /// The least cost that is included. Requests of unknown cost are not.
    package var minCost: Cost?
    /// The shortest duration that is included.
    package var minDurationMilliseconds: Int?
    /// A text that the request's id, caller, model, provider, endpoint or error contains. Its ASCII letters stand for both
    /// cases.
    package var keywords: String?
    /// The id below which records are looked for: only older ones are included.
    package var before: RecordID?

    /// The longest `keywords` that are looked for, in bytes.
    package static let maxKeywordBytes = 200

    package init() {}

    /// Whether no index narrows the filter: the records are read one by one, the newest first.
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

/// The records that a query found.
package struct RecordPage: Sendable {
    /// The records of the page, in the order that was asked for.
    package var records: [StoredRecord] = []
    /// The number of records that match the filter, or those of them that were counted.
    package var total = 0
    /// Whether more records match than `total`.
    package var isTotalBound = false
    /// Whether the time was over before all records had been looked at.
    package var isPartial = false
    /// The id to go on with as `before` where the time was over; nil if it was not.
    package var continuation: RecordID?

    package init() {}

    /// Says where to go on: behind the last record of a full page, else behind the last one that was looked at.
    mutating func goOn(after position: RecordID?, _ query: RecordQuery) {
        let isFull = query.order == .id && records.count >= query.recordsPerPage
        continuation = isFull ? records.last?.id : position
    }
}

/// A kept record of a request.
package struct StoredRecord: Sendable {
    package let id: RecordID
    /// The record. Its subject is `.request`, also where a database holds its only call in the same row.
    package let request: UsageRecord
    /// The status of the vendor's last response; nil if no call had one.
    package var lastCallStatus: Int?

    init(_ id: RecordID, _ request: UsageRecord, lastCallStatus: Int? = nil) {
        self.id = id
        self.request = request
        self.lastCallStatus = lastCallStatus
    }
}

/// A kept record of a request, with those of its calls.
package struct StoredRequest: Sendable {
    package let record: StoredRecord
    /// The records of the calls in the order of their ends; each has the subject `.call`.
    package let calls: [UsageRecord]
}
