/// The result of one run.
package struct Report: Sendable {
    package let seed: Int
    package let kind: String
    package let decisions: Int
    package let admitted: Int
    /// The number of requests that were admitted after they had waited for their turn.
    package let waited: Int
    /// The number of calls to the store.
    package let calls: Int
    /// The smallest part of N that a saturating caller got; nil if there was none.
    package let utilisation: Double?
    /// The largest number of units above what is promised.
    package let excess: Int
    package let breaches: [Breach]
}
