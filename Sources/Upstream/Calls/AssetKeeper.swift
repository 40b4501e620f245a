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
        key: String
    ) async throws(UpstreamError) -> KeptAsset
}

/// A vendor that writes down what is said. Used on one loop.
package protocol WordTaker: AssetKeeper {
    func words(in sound: KeptAsset, by model: Model, key: String) async throws(UpstreamError) -> TakenWords
}

package struct TakenWords: Sendable {
    package let text: String
    /// That the vendor took for it.
    package let credits: Int?
}
