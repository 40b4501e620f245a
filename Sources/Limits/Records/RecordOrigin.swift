/// The copy of a lost record from which the store's record was restored.
package final class RecordOrigin: Sendable, Equatable {
    let record: Record
    /// The number of the version that the store gave the copy.
    let version: UInt64

    init(_ copy: Record, version: UInt64) {
        var copy = copy
        copy.origin = nil
        record = copy
        self.version = version
    }

    package static func == (one: RecordOrigin, other: RecordOrigin) -> Bool {
        one === other || one.version == other.version && one.record == other.record
    }
}
