package import Engine
package import Shared

/// A vendor that stores files. It is used on one event loop only.
package protocol FileProvider: AnyObject, Sendable {
    /// Whether the vendor serves a stored file by its path alone, without a key.
    var opensWithoutKey: Bool { get }
    /// Whether the vendor keeps the name and the media type that the relay sends with a file.
    var keepsLabels: Bool { get }
    /// Begins an upload. `stop` must be called on the upload in every case, also after an error.
    /// - Parameter metadata: the options that are known when the upload begins.
    func upload(
        _ label: FileLabel,
        _ metadata: FileMetadata,
        totalBytes: Int?,
        by call: Attempt
    ) async throws(UpstreamError) -> FileUpload
    /// Opens a stored file for reading; returns when its first bytes have arrived.
    func open(path: String, by call: Attempt) async throws(UpstreamError) -> any MediaStream
    /// Deletes the file at a path if the vendor supports this. A missing file is no error.
    func delete(path: String, by call: Attempt) async throws(UpstreamError)
}

/// Content that arrives as a stream. Its reader must call `stop`, also after an error.
package protocol MediaStream: AnyObject, Sendable {
    /// The media type of the arriving content, such as `audio/mpeg`.
    var mediaType: String { get }
    /// Waits until more content arrives. Returns false at the end; throws if the vendor cut the content off.
    func more() async throws(UpstreamError) -> Bool
    /// Moves the bytes that have arrived into `buffer`, which must be empty.
    func receive(into buffer: inout ByteBuffer)
    func stop()
}

/// The options that a caller gives for an uploaded file.
package struct FileMetadata: Sendable {
    package var purpose: FilePurpose?
    package var lifetimeSeconds: Int?

    package init(purpose: FilePurpose? = nil, lifetimeSeconds: Int? = nil) {
        self.purpose = purpose
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Returns only the options that `earlier` does not contain yet. All other options are nil in the result.
    package func added(to earlier: FileMetadata) -> FileMetadata {
        FileMetadata(
            purpose: earlier.purpose == nil ? purpose : nil,
            lifetimeSeconds: earlier.lifetimeSeconds == nil ? lifetimeSeconds : nil
        )
    }

    /// The options as form fields of OpenAI's upload request.
    package var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let purpose { fields.append(("purpose", "\(purpose.name)")) }
        if let lifetimeSeconds {
            fields += [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "\(lifetimeSeconds)")]
        }
        return fields
    }
}

/// A vendor to which the relay uploads files for later calls. Used on one event loop only.
package protocol AssetUploader: AnyObject, Sendable {
    var name: String { get }
    /// Uploads a file to the vendor, which keeps it for later calls.
    /// - Parameter filename: a name whose extension fits `mediaType`.
    func keep(
        _ bytes: Body,
        filename: String,
        mediaType: String,
        by call: Attempt
    ) async throws(UpstreamError) -> UploadedAsset
}
