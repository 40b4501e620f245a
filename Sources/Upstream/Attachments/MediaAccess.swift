package import Engine
package import Shared

/// The services that are needed to download a caller's media, or to upload them to a vendor.
package struct MediaAccess: Sendable {
    package typealias Opening = @Sendable (_ id: String) async throws(APIError) -> StoredFile?

    let registry: Registry
    let caller: Caller
    let loop: EventLoop
    let worker: WorkQueue
    /// The fetcher that downloads media; nil if the relay does not download media.
    let fetcher: Fetcher?
    let assets: AssetCache
    /// A function that returns the caller's stored file with an id; nil if no such file exists.
    let file: Opening
    /// Whether the attachments stay in memory after their upload, because another key or provider could need them.
    package var mayRepeat = false

    /// Returns the stored file with this id, and the candidate limited to the key that uploaded the file.
    func file(
        of part: Attachment,
        _ id: String,
        by candidate: Candidate
    ) async throws(APIError) -> (StoredFile, Candidate) {
        guard let file = try await file(id) else { throw .value(part.param, "no file with this id exists") }
        guard let reader = candidate.reading(file) else {
            throw candidate.hasOtherKey(than: file) ? .ofOtherKey(part.param) : part.refusalAsAbsent
        }
        return (file, reader)
    }

    /// Downloads the content of an attachment that is no image.
    func content(at address: String, of part: Attachment) async throws(APIError) -> Body {
        guard let fetcher else { throw part.refusalAsNotFetched }
        do throws(FetchFailure) {
            return try await fetcher.fetch(address, limitBytes: part.kind.limitBytes)
        } catch {
            throw APIError(error, ofFile: part.param)
        }
    }

    package init(
        _ registry: Registry,
        for caller: Caller,
        worker: WorkQueue,
        fetcher: Fetcher?,
        assets: AssetCache,
        file: @escaping Opening
    ) {
        self.registry = registry
        self.caller = caller
        loop = registry.loop
        self.worker = worker
        self.fetcher = fetcher
        self.assets = assets
        self.file = file
    }
}
