package import Shared

/// A vendor's list of its models, which is read now and then.
package protocol ModelList: AnyObject, Sendable {
    /// All that some endpoint can use; never empty.
    func models() async throws(UpstreamError) -> [LiveModel]
}
