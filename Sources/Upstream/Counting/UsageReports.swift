import Synchronization

/// Statistics that show whether a provider usually reports the usage of its calls. Can be used on any thread.
package final class UsageReports: Sendable {
    /// The number of consecutive responses with usage after which the provider is expected to report it again.
    package static let expectedAfter = 20

    /// The number of responses in a row that contained their usage, counted up to `expectedAfter`.
    private let row = Atomic<Int>(0)

    package init() {}

    /// Whether the provider will probably report the usage of the next response.
    package var areExpected: Bool { row.load(ordering: .relaxed) >= Self.expectedAfter }

    /// Records whether a complete response contained the number of prompt tokens.
    package func record(isReported: Bool) {
        guard isReported else { return row.store(0, ordering: .relaxed) }
        if row.load(ordering: .relaxed) < Self.expectedAfter { row.add(1, ordering: .relaxed) }
    }
}
