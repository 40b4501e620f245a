package import Shared

/// A vendor's list of its models, which is read periodically.
package protocol ModelList: AnyObject, Sendable {
    /// Returns all models that at least one endpoint can use; never an empty list.
    func models() async throws(UpstreamError) -> [LiveModel]
}
