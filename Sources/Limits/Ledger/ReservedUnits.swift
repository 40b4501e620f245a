/// The units of one limit that a request holds until it ends.
package struct ReservedUnits: Sendable {
    let account: Account
    package let units: Int
    let position: BucketIndex
    /// The units of the limit that were free after the decision.
    package let free: Int

    package var limit: Limit { account.limit }
}
