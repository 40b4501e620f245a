import Calls
package import Engine
package import Shared

/// The services that are needed to bring a caller's media to a vendor.
package struct MediaAccess: Sendable {
    package typealias Opening = @Sendable (_ id: String) async throws(APIError) -> StoredFile?

    let registry: Registry
    let caller: Caller
    let loop: EventLoop
    let worker: WorkQueue
    /// Downloads media; nil if the relay downloads none.
    let fetcher: Fetcher?
    let assets: AssetCache
    /// Returns the caller's stored file with an id; nil if there is none.
    let file: Opening
    /// Whether the attachments may be needed again, for another key or provider.
    package var mayRepeat = false

    /// Returns the stored file that an attachment names, and the candidate with the key that uploaded it.
    func file(
        of part: Attachment,
        _ id: String,
        by candidate: Candidate
    ) async throws(APIError) -> (StoredFile, Candidate) {
        guard let file = try await file(id) else { throw .value(part.param, "no file with this id exists") }
        guard let reader = candidate.reading(file) else { throw part.refusalAsAbsent }
        return (file, reader)
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
