package import Engine
package import Shared

/// A vendor that keeps files. Used on one loop.
package protocol FileProvider: AnyObject, Sendable {
    /// A path is enough to open what lies there.
    var opensWithoutKey: Bool { get }
    /// Files go there under the name and type that their sender gives them.
    var takesLabelsAsGiven: Bool { get }
    /// Begins to hand a file over. `terms`: as far as they are known; `totalBytes`: of the file; nil: not known yet. The
    /// caller ends it by `stop`, on every path.
    func upload(
        _ label: FileLabel,
        _ terms: FileTerms,
        totalBytes: Int?,
        by call: VendorCall
    ) throws(UpstreamError) -> any FileUpload
    /// Opens what lies at a path that the vendor gave; returns once its content has begun to come.
    func open(path: String, by call: VendorCall) async throws(UpstreamError) -> any MediaStream
    /// Deletes what lies there, if the vendor offers that. What is there no more is no failure.
    func delete(path: String, by call: VendorCall) async throws(UpstreamError)
}

/// Content as it comes. The caller ends it by `stop`, on every path.
package protocol MediaStream: AnyObject, Sendable {
    /// Of what it truly is.
    var mediaType: String { get }
    /// Waits for more; false: that was all. What was cut throws.
    func more() async throws(UpstreamError) -> Bool
    /// Takes the bytes that have come; `buffer` was empty.
    func take(into buffer: inout ByteBuffer)
    func stop()
}

/// A file on its way to a vendor. Until `finish` the vendor sees no end of it: what stops before is a connection cut.
package protocol FileUpload: AnyObject, Sendable {
    /// False: the vendor has answered before the file's end. Go on with `finish`, which says what is wrong.
    var isWanted: Bool { get }
    /// Returns when the vendor can take more.
    func write(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError)
    /// All is written: waits for what the vendor calls it. `terms`: those that have become known meanwhile.
    func finish(_ terms: FileTerms) async throws(UpstreamError) -> KeptAsset
    func stop()
}
