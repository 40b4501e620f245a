package import Engine
package import Shared

/// A vendor to which the relay uploads files for later calls. Used on one event loop only.
package protocol AssetUploader: AnyObject, Sendable {
    var name: String { get }
    /// Uploads a file to the vendor, which keeps it for later calls.
    ///
    /// - Parameter filename: a name whose extension fits `mediaType`.
    func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by call: Attempt
    ) async throws(UpstreamError) -> UploadedAsset
}
