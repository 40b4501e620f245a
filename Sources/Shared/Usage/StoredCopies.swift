package import Limits

/// The copies of limits' records in the database of usage records. The thread that writes usage records does the work.
package struct StoredCopies: RecordCopies {
    let queue: UsageQueue
    let table: any CopyTable

    package func read(_ keys: [String]) throws(StoreFailure) -> [RecordCopy] {
        try onQueue { () throws(UsageFailure) in try table.copies(keys) }
    }

    package func save(_ copies: [RecordCopy]) throws(StoreFailure) {
        try onQueue { () throws(UsageFailure) in try table.save(copies) }
    }

    private func onQueue<Value: Sendable>(
        _ work: @escaping @Sendable () throws(UsageFailure) -> Value
    ) throws(StoreFailure) -> Value {
        do throws(UsageFailure) {
            return try RecordStore.result(on: queue, of: work)
        } catch {
            throw StoreFailure(reason: error.cause)
        }
    }
}
