/// Asks a vendor whether it takes a key.
package protocol KeyChecker: AnyObject, Sendable {
    func accepts(key: String) async -> Bool
}
