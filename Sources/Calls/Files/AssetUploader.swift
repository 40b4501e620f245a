package import Engine
package import Shared

/// A vendor that stores files for calls that refer to them. Used on one loop.
package protocol AssetUploader: AnyObject, Sendable {
    var name: String { get }
    /// Uploads a file to the vendor.
    ///
    /// - Parameter filename: a name with an extension that fits `mediaType`.
    func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by call: VendorCall
    ) async throws(UpstreamError) -> UploadedAsset
}
