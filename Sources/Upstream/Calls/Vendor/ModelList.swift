package import Shared

/// A vendor's list of models, which the relay reads periodically.
package protocol ModelList: AnyObject, Sendable {
    /// Returns the models that the relay's endpoints can use. The list is never empty.
    func models() async throws(UpstreamError) -> [LiveModel]
}
