/// A vendor that can check whether it accepts a key.
package protocol KeyChecker: AnyObject, Sendable {
    /// The provider's name.
    var name: String { get }

    func accepts(key: String) async -> Bool
}
