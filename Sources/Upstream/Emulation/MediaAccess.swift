import Calls
package import Engine
package import Shared

/// The parts of the relay that bringing a caller's media to a vendor needs.
package struct MediaAccess: Sendable {
    package typealias Opening = @Sendable (_ id: String) async throws(APIError) -> StoredFile?

    let registry: Registry
    let caller: Caller
    let loop: EventLoop
    let worker: WorkQueue
    /// Nil: no picture is fetched.
    let fetcher: Fetcher?
    let assets: AssetCache
    /// The caller's file of that id; nil: there is no such file.
    let file: Opening
    /// The attachments may be needed once more, for another key or provider.
    package var mayRepeat = false

    /// The caller's file that a part names, and the candidate with the key that it was uploaded with.
    func file(
        of part: Attachment,
        _ id: String,
        by candidate: Candidate
    ) async throws(APIError) -> (StoredFile, Candidate) {
        guard let file = try await file(id) else { throw .value(part.param, "there is no such file") }
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
