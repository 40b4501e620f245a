import Engine

/// A vendor's service tier that can have a price of its own.
package enum ServiceTier: UInt8, CaseIterable, Sendable {
    case flex
    case batch
    case priority
    case fast

    /// The word for the tier in settings, requests and responses.
    package var word: StaticString {
        switch self {
        case .flex: "flex"
        case .batch: "batch"
        case .priority: "priority"
        case .fast: "fast"
        }
    }

    package init?(word: some StringProtocol) {
        guard let tier = Self.allCases.first(where: { word == "\($0.word)" }) else { return nil }
        self = tier
    }

    package init?(bytes: UnsafeRawBufferPointer) {
        guard let tier = Self.allCases.first(where: { bytes.equals($0.word) }) else { return nil }
        self = tier
    }
}
