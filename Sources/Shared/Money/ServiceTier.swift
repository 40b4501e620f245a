/// A vendor's service tier that can have a price of its own. The raw value is the word for the tier in settings, requests
/// and responses.
package enum ServiceTier: String, CaseIterable, Sendable {
    case flex
    case batch
    case priority
    case fast

    /// Creates the tier with this word; nil for another word.
    package init?(_ word: UnsafeRawBufferPointer) {
        guard let tier = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(word) }) else { return nil }
        self = tier
    }
}
