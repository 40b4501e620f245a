/// A finished request and its upstream calls, as usage records.
///
/// It is an object, so that no queue copies the large records.
package final class FinishedRequest: Sendable {
    /// The usage record of the request. If the request made only one upstream call, the record can include that call.
    let record: UsageRecord
    /// The usage records of the upstream calls that `record` does not contain, in the order in which they ended.
    let calls: [UsageRecord]
    /// The bodies of the request and its response; nil if bodies are not kept.
    let bodies: KeptBodies?

    package init(_ record: UsageRecord, calls: [UsageRecord] = [], bodies: KeptBodies? = nil) {
        self.record = record
        self.calls = calls
        self.bodies = bodies
    }

    /// The number of records: one for the request and one for each upstream call.
    var recordCount: Int { record.count + calls.count }

    /// One record for the request and one for each upstream call, the request's first.
    var records: [UsageRecord] { [record] + (record.onlyCall.map { [$0] } ?? []) + calls }
}

extension ArraySlice<FinishedRequest> {
    /// The number of records of all these requests and their upstream calls.
    var recordCount: Int { reduce(0) { $0 + $1.recordCount } }
}
