/// What came out of one run.
package struct Report: Sendable {
    package let seed: Int
    package let kind: String
    package let decisions: Int
    package let admitted: Int
    /// To the store.
    package let calls: Int
    /// The least part of N that a caller got which always wanted more; nil where there was none.
    package let utilisation: Double?
    /// The most units above what is promised.
    package let excess: Int
    package let breaches: [Breach]
}
