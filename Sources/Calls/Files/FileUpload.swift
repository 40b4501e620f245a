package import Engine
package import Shared

/// A vendor that stores files. Used on one loop.
package protocol FileProvider: AnyObject, Sendable {
    /// Whether a file can be opened by its path alone, without a key.
    var opensWithoutKey: Bool { get }
    /// Whether the vendor stores a file under the name and media type that the sender gives.
    var keepsLabels: Bool { get }
    /// Begins an upload. The caller must end it with `stop`, on every path.
    ///
    /// - Parameters:
    ///   - terms: the options that are known so far.
    ///   - totalBytes: the size of the file; nil if it is not known yet.
    func upload(
        _ label: FileLabel,
        _ metadata: FileMetadata,
        totalBytes: Int?,
        by call: VendorCall
    ) throws(UpstreamError) -> any FileUpload
    /// Opens the file at a path that the vendor returned. Returns when the first content has arrived.
    func open(path: String, by call: VendorCall) async throws(UpstreamError) -> any MediaStream
    /// Deletes the file at a path, if the vendor supports that. A file that no longer exists is not an error.
    func delete(path: String, by call: VendorCall) async throws(UpstreamError)
}

/// Content that arrives as a stream. The caller must end it with `stop`, on every path.
package protocol MediaStream: AnyObject, Sendable {
    /// The media type of the actual content.
    var mediaType: String { get }
    /// Waits for more content. Returns false at the end; throws if the content was cut off.
    func more() async throws(UpstreamError) -> Bool
    /// Moves the bytes that have arrived into `buffer`, which was empty.
    func receive(into buffer: inout ByteBuffer)
    func stop()
}

/// An upload to a vendor. The vendor sees no end of the file before `finish`; stopping earlier cuts the connection.
package protocol FileUpload: AnyObject, Sendable {
    /// Whether the vendor still accepts bytes. False if it responded before the end of the file: `finish` then throws
    /// its error.
    var isWanted: Bool { get }
    /// Sends bytes. Returns when the vendor can accept more.
    func write(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError)
    /// Ends the file and waits for the vendor's name of it.
    ///
    /// - Parameter terms: the options that have become known since the upload began.
    func finish(_ metadata: FileMetadata) async throws(UpstreamError) -> UploadedAsset
    func stop()
}
