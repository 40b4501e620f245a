package import Engine
package import Limits

/// The lists of each caller's files, and the ids of deleted files.
///
/// If this data is lost, files can still be used by id, also deleted ones.
package struct FileStore: Sendable {
    package typealias Listed = (id: FileID, file: StoredFile)

    private let state: SharedState

    /// The largest size of one caller's list of files, in bytes. A full list drops its oldest files.
    package static let listLimitBytes = 60_000
    private static let expirySeconds = 365 * 86_400
    private static let format: UInt8 = 1

    package init(_ state: SharedState) { self.state = state }

    package func add(_ id: FileID, of owner: FileOwner, on loop: EventLoop) async throws(StoreFailure) {
        try await change(owner, on: loop) { $0.contains(id) ? nil : $0 + [id] }
    }

    /// Returns the owner's files that have not expired, newest first.
    package func files(
        of owner: FileOwner,
        at seconds: Int,
        on loop: EventLoop
    ) async throws(StoreFailure) -> [Listed] {
        let list = Self.decoded(try await state.read(Self.listKey(owner), on: loop))
        return list.reversed().compactMap { id in
            guard let file = owner.open(id), file.isLive(at: seconds) else { return nil }
            return (id, file)
        }
    }

    /// Returns a file by its id; nil if it is another owner's, has expired or was deleted.
    package func file(
        _ text: String,
        of owner: FileOwner,
        at seconds: Int,
        on loop: EventLoop
    ) async throws(StoreFailure) -> Listed? {
        guard let found = owner.open(text), found.file.isLive(at: seconds) else { return nil }
        return try await state.read(Self.goneKey(found.id), on: loop) == nil ? found : nil
    }

    /// Deletes a file. Returns false if it was already deleted. After an error, call this again.
    package func delete(_ id: FileID, of owner: FileOwner, on loop: EventLoop) async throws(StoreFailure) -> Bool {
        try await change(owner, on: loop) { list in list.contains(id) ? list.filter { $0 != id } : nil }
        return try await state.update(Self.goneKey(id), expirySeconds: Self.expirySeconds, on: loop) { found in
            found == nil ? .init([Self.format], true) : .init(nil, false)
        }
    }

    /// Updates the owner's list of file ids. `change` returns the new list, or nil to leave the list unchanged.
    private func change(
        _ owner: FileOwner,
        on loop: EventLoop,
        _ change: @escaping @Sendable ([FileID]) -> [FileID]?
    ) async throws(StoreFailure) {
        try await state.update(Self.listKey(owner), expirySeconds: Self.expirySeconds, on: loop) { found in
            .init(change(Self.decoded(found)).map(Self.encoded), ())
        }
    }

    private static func listKey(_ owner: FileOwner) -> String {
        "relay:1:files:\(owner.identity.digest.base64url(characters: 22))"
    }

    private static func goneKey(_ id: FileID) -> String {
        "relay:1:gone:\(Digest(of: id.text).base64url(characters: 22))"
    }

    private static func encoded(_ list: [FileID]) -> [UInt8] {
        var size = 1
        let kept = list.reversed().prefix { id in
            size += 2 + id.sealed.count
            return size <= listLimitBytes
        }
        return kept.reversed().reduce(into: [format]) { bytes, id in
            bytes += [UInt8(id.sealed.count & 255), UInt8(id.sealed.count >> 8)] + id.sealed
        }
    }

    /// Decodes a list of file ids. Returns an empty list if the bytes are damaged or missing.
    private static func decoded(_ bytes: [UInt8]?) -> [FileID] {
        guard var rest = bytes?[...], rest.popFirst() == format else { return [] }
        var list: [FileID] = []
        while !rest.isEmpty {
            guard let sealed = rest.consumeBytes() else { return [] }
            list.append(FileID(Array(sealed)))
        }
        return list
    }
}

extension StoredFile {
    package func isLive(at seconds: Int) -> Bool { expiresAt.map { seconds < $0 } ?? true }
}
