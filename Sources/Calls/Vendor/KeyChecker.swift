/// Asks a vendor whether it takes a key.
package protocol KeyChecker: AnyObject, Sendable {
    /// The provider's.
    var name: String { get }

    func accepts(key: String) async -> Bool
}
