/// The units of one limit that a request holds until it ends.
struct HeldUnits: Sendable {
    let account: Account
    let units: Int
    let place: Place
}
