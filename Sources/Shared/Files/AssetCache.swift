package import Engine
import Limits

/// The vendor's names for a file that it keeps.
package struct KeptAsset: Sendable, Equatable {
    /// Its path there.
    package let path: String
    /// Empty: the vendor named none.
    package let id: String

    package init(path: String, id: String) {
        self.path = path
        self.id = id
    }
}

/// The files of callers that a vendor keeps already: a conversation brings its pictures again with each turn. All loops
/// share it. The entry that is longest unused goes first.
package final class AssetCache: Sendable {
    /// Of a caller, with a vendor's key, by content.
    package struct Key: Hashable, Sendable {
        fileprivate let digest: Digest

        /// - Parameters:
        ///   - content: of the content, and of all else that the file is to be.
        ///   - account: of the vendor's key: others' files are unknown to it.
        package init(_ content: Digest, of caller: Caller, account: Digest) {
            var parts = ByteBuffer()
            for digest in [content, account] { digest.withBytes { parts.append($0) } }
            caller.identity?.digest.withBytes { parts.append($0) }
            digest = Digest(of: parts.bytes)
        }
    }

    private struct Entry {
        let asset: KeptAsset
        let endsAt: LoopTime
        var bytes: Int { asset.path.utf8.count + asset.id.utf8.count + 160 }
    }

    private struct Shelf {
        var entries = RecentTable<Key, Entry>()
        var bytes = 0

        mutating func remove(_ key: Key) { if let entry = entries.remove(key) { bytes -= entry.bytes } }
    }

    private let shelf = Lock(Shelf())
    private let mostEntries: Int
    private let mostBytes: Int
    /// Vendors do not say how long they keep what nobody asks for.
    private static let lifeNanoseconds: UInt64 = 3_600_000_000_000

    package init(mostEntries: Int = 8_192, mostBytes: Int = 4_194_304) {
        self.mostEntries = mostEntries
        self.mostBytes = mostBytes
    }

    package func asset(_ key: Key, at now: LoopTime) -> KeptAsset? {
        shelf.withLock { shelf in
            guard let entry = shelf.entries.use(key) else { return nil }
            if entry.endsAt > now { return entry.asset }
            shelf.remove(key)
            return nil
        }
    }

    package func add(_ asset: KeptAsset, _ key: Key, at now: LoopTime) {
        let entry = Entry(asset: asset, endsAt: now + Self.lifeNanoseconds)
        shelf.withLock { shelf in
            shelf.remove(key)
            shelf.entries.set(key, entry)
            shelf.bytes += entry.bytes
            while shelf.entries.count > mostEntries || shelf.bytes > mostBytes, let old = shelf.entries.leastRecent {
                shelf.remove(old.key)
            }
        }
    }

    /// The vendor knows it no more.
    package func forget(_ key: Key) { shelf.withLock { $0.remove(key) } }

    /// The number of entries, and their size.
    package var size: (entries: Int, bytes: Int) { shelf.withLock { ($0.entries.count, $0.bytes) } }
}
