package import Engine
import Limits

/// A file that was uploaded to a vendor: the file's path and id at the vendor.
package struct UploadedAsset: Sendable, Equatable {
    /// The path of the file at the vendor.
    package let path: String
    /// The vendor's id of the file; empty if the vendor gave none.
    package let id: String

    package init(path: String, id: String) {
        self.path = path
        self.id = id
    }
}

/// A cache of the paths and ids of files that were already uploaded to vendors. All loops share this cache.
package final class AssetCache: Sendable {
    /// The cache key of an uploaded file. It depends on the file's content, the provider's credential and the caller.
    package struct Key: Hashable, Sendable {
        fileprivate let digest: Digest

        /// - Parameters:
        ///   - content: the digest of everything that determines the uploaded file.
        ///   - account: the digest of the provider's credential.
        package init(_ content: Digest, of caller: Caller, account: Digest) {
            var parts = ByteBuffer()
            for digest in [content, account] { digest.withBytes { parts.append($0) } }
            caller.identity?.digest.withBytes { parts.append($0) }
            digest = Digest(of: parts.bytes)
        }
    }

    private struct Entry {
        let asset: UploadedAsset
        let endsAt: LoopTime
        var bytes: Int { asset.path.utf8.count + asset.id.utf8.count + 160 }
    }

    private struct Partition {
        var entries = RecentTable<Key, Entry>()
        var bytes = 0

        mutating func remove(_ key: Key) { if let entry = entries.remove(key) { bytes -= entry.bytes } }
    }

    private let fileStore = Lock(Partition())
    private let maxEntries: Int
    private let maxBytes: Int
    private static let lifeNanoseconds: UInt64 = 3_600_000_000_000

    package init(maxEntries: Int = 8_192, maxBytes: Int = 4_194_304) {
        self.maxEntries = maxEntries
        self.maxBytes = maxBytes
    }

    package func asset(_ key: Key, at now: LoopTime) -> UploadedAsset? {
        fileStore.withLock { fileStore in
            guard let entry = fileStore.entries.use(key) else { return nil }
            if entry.endsAt > now { return entry.asset }
            fileStore.remove(key)
            return nil
        }
    }

    package func add(_ asset: UploadedAsset, _ key: Key, at now: LoopTime) {
        // The lifetime is short because vendors do not say how long they keep an unused file.
        let entry = Entry(asset: asset, endsAt: now + Self.lifeNanoseconds)
        fileStore.withLock { fileStore in
            fileStore.remove(key)
            fileStore.entries.set(key, entry)
            fileStore.bytes += entry.bytes
            while fileStore.entries.count > maxEntries || fileStore.bytes > maxBytes,
                let old = fileStore.entries.leastRecentlyUsed
            {
                fileStore.remove(old.key)
            }
        }
    }

    /// Removes the entry of a file that the vendor no longer has.
    package func forget(_ key: Key) { fileStore.withLock { $0.remove(key) } }

    package var size: (entries: Int, bytes: Int) { fileStore.withLock { ($0.entries.count, $0.bytes) } }
}
