import Synchronization

/// Whether the responses of one provider contain their usage, according to the last of them. All loops of the process
/// share it.
package final class UsageReports: Sendable {
    /// The number of consecutive responses with usage after which the provider is expected to report it for the next
    /// one.
    package static let expectedAfter = 20

    /// The number of consecutive responses that contained their usage, up to `expectedAfter`.
    private let row = Atomic<Int>(0)

    package init() {}

    /// Whether the next response is expected to contain its usage, so that its prompt is not counted ahead.
    package var areExpected: Bool { row.load(ordering: .relaxed) >= Self.expectedAfter }

    /// Records one whole response.
    ///
    /// - Parameter isReported: whether the response contained the tokens of its prompt.
    package func record(isReported: Bool) {
        guard isReported else { return row.store(0, ordering: .relaxed) }
        if row.load(ordering: .relaxed) < Self.expectedAfter { row.add(1, ordering: .relaxed) }
    }
}
