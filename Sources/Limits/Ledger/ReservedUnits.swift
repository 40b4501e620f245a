/// The units of one limit that a request holds until it ends.
struct ReservedUnits: Sendable {
    let account: Account
    let units: Int
    let position: BucketIndex
}
