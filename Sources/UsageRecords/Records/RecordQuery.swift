package import Shared

/// A query for a page of request records, for the list on the admin pages.
package struct RecordQuery: Sendable {
    package var filter = RecordFilter()
    package var order = RecordOrder.id
    package var isDescending = true
    /// The number of records per page, at most `maxSummed`.
    package var recordsPerPage = 10
    /// The number of the page. The first page is 1.
    package var page = 1

    /// Whether the records are read newest first; always true if the query does not sort by id.
    var readsNewestFirst: Bool { order != .id || isDescending }

    /// The largest number of records per page of a list that clients get.
    package static let maxRecords = 200
    /// The largest number of records whose figures are summed up.
    static let maxSummed = 2_000
    /// The largest number of matching records that are counted exactly. A larger total is shown as this number.
    package static let maxTotal = 10_000

    package init() {}
}

/// The conditions for request records in a list. A property that is nil sets no condition.
package struct RecordFilter: Sendable, Equatable {
    /// The result of a request: completed, failed, failed in a particular way, or with a particular HTTP status.
    package enum Outcome: Sendable, Equatable {
        case completed
        case failed
        /// A provider or the relay failed (5xx; 402 or 429 of a vendor), or the response was cut off.
        case failure
        /// A limit of the relay refused the request.
        case refusal
        /// The request was invalid, or its client left: all other 4xx.
        case clientError
        /// A budget ended the response, or lowered its bound.
        case budget
        /// The response to the client had this HTTP status.
        case status(Int)
    }

    /// The texts that fields of a matching request must have.
    private(set) var texts: [UsageField: String] = [:]
    /// The name of the agent's session.
    package var session: String?
    /// The end user, as records name it.
    package var endUser: String?
    package var outcome: Outcome?
    /// The earliest time at which a matching request ended, in milliseconds since 1970.
    package var fromMilliseconds: Int?
    /// The time before which a matching request ended, in milliseconds since 1970.
    package var toMilliseconds: Int?
    /// The lowest cost of a matching request. Requests with unknown cost do not match.
    package var minCost: Cost?
    /// The shortest duration of a matching request, in milliseconds.
    package var minDurationMilliseconds: Int?
    /// A text that the request's id, caller, model, provider, endpoint or error must contain. The case of ASCII letters
    /// is ignored.
    package var keywords: String?
    /// The id below which the ids of matching requests must be, to continue an earlier search; nil for no bound.
    package var before: RecordID?

    /// The largest length of `keywords`, in bytes. Bytes beyond it are ignored.
    package static let maxKeywordBytes = 200

    package init() {}

    /// The text that a field of a matching request must have.
    package subscript(field: UsageField) -> String? {
        get { texts[field] }
        set { texts[field] = newValue }
    }

    /// Whether the filter has conditions for which no database index exists, so that all records are read.
    var readsRecords: Bool {
        keywords != nil || minCost != nil || minDurationMilliseconds != nil || outcome == .budget
    }
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

/// One page of request records, which is the result of a `RecordQuery`.
package struct RecordPage: Sendable {
    /// The records on this page, in the order that the query requested.
    package var records: [StoredRecord] = []
    /// The number of matching records on all pages, as far as they were counted.
    package var total = 0
    /// Whether the true total might be larger than `total`, because the search stopped counting.
    package var isTotalBound = false
    /// Whether the query's time limit passed before all records were searched.
    package var isPartial = false
    /// The value of `RecordFilter.before` that continues the search; nil if the search is complete or cannot continue.
    package var continuation: RecordID?

    /// Sets `continuation`, from which a later query goes on: the last record's id if the page is full and sorted by
    /// id, otherwise `id`. A page with ascending ids cannot be continued, because `RecordFilter.before` excludes
    /// the higher ids.
    mutating func goOn(after id: RecordID?, _ query: RecordQuery) {
        guard query.readsNewestFirst else { return }
        let isFull = query.order == .id && records.count >= query.recordsPerPage
        continuation = isFull ? records.last?.id : id
    }
}

/// A request record from the store, with its id there.
package struct StoredRecord: Sendable {
    package let id: RecordID
    /// The usage record of the request. Its subject is always `.request`.
    package let request: UsageRecord
    /// The HTTP status of the last vendor response; nil if no upstream call had a response.
    package var lastCallStatus: Int?

    init(_ id: RecordID, _ request: UsageRecord, lastCallStatus: Int? = nil) {
        self.id = id
        self.request = request
        self.lastCallStatus = lastCallStatus
    }
}

/// A request record from the store, with the records of the request's upstream calls.
package struct StoredRequest: Sendable {
    package let record: StoredRecord
    /// The records of the upstream calls, in the order in which they ended. Each record has the subject `.call`.
    package let calls: [UsageRecord]
    /// The body of the request as it was stored; nil if no body was stored.
    package var requestBody: String?
    /// The body of the response as it was stored; nil if no body was stored.
    package var responseBody: String?
}
