/// A vendor's service tier that can have a price of its own. The raw value is the word for the tier in settings, requests
/// and responses.
package enum ServiceTier: String, CaseIterable, Sendable {
    case flex
    case batch
    case priority
    case fast
}
