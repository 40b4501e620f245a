import Synchronization

/// Whether the answers of one provider bring the tokens that they used, by the last of them. All loops of the process share it.
package final class UsageReports: Sendable {
    /// The number of answers in a row after which a provider is expected to report the usage of the next one.
    package static let expectedAfter = 20

    /// The answers in a row that brought their usage, up to `expectedAfter`.
    private let row = Atomic<Int>(0)

    package init() {}

    /// Whether the next answer is expected to bring its usage, so that its prompt is not counted ahead.
    package var areExpected: Bool { row.load(ordering: .relaxed) >= Self.expectedAfter }

    /// Records one whole answer.
    ///
    /// - Parameter isReported: whether the answer brought the tokens of its prompt.
    package func record(isReported: Bool) {
        guard isReported else { return row.store(0, ordering: .relaxed) }
        if row.load(ordering: .relaxed) < Self.expectedAfter { row.add(1, ordering: .relaxed) }
    }
}
