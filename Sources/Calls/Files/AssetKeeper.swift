package import Engine
package import Shared

/// A vendor that keeps files for calls that refer to them. Used on one loop.
package protocol AssetKeeper: AnyObject, Sendable {
    var name: String { get }
    /// - Parameter filename: with an extension that fits `mediaType`.
    func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by call: VendorCall
    ) async throws(UpstreamError) -> KeptAsset
}
