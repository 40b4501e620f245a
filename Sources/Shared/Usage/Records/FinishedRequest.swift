/// A finished request with its upstream calls, as queues pass it to the stores. An object, so that no queue copies the
/// long records.
package final class FinishedRequest: Sendable {
    /// The record of the request, or of the request with its only call.
    let record: UsageRecord
    /// The records of the other calls, in the order of their ends.
    let calls: [UsageRecord]
    /// The bodies of the request; nil if none are kept. Stores that keep no bodies ignore them.
    let bodies: KeptBodies?

    package init(_ record: UsageRecord, calls: [UsageRecord] = [], bodies: KeptBodies? = nil) {
        self.record = record
        self.calls = calls
        self.bodies = bodies
    }
}

extension FinishedRequest {
    /// The number of records, in which a request with its only call counts twice.
    var recordCount: Int { record.count + calls.count }

    /// All records, with the only call of a request separately.
    var records: [UsageRecord] { [record] + (record.onlyCall.map { [$0] } ?? []) + calls }
}

extension ArraySlice<FinishedRequest> {
    /// The number of records of these requests and their calls.
    var recordCount: Int { reduce(0) { $0 + $1.recordCount } }
}
