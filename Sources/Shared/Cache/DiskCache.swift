import Engine
import Glibc
import Limits

/// A cache of responses as encrypted files in a directory. Only one process may use a directory.
///
/// A file begins with its expiry time in seconds since 1970 (eight bytes, little-endian); 0 if it does not expire.
final class DiskCache: Sendable {
    private struct List {
        /// The sizes of the files in bytes, by file name.
        var files = RecentTable<String, Int>()
        var bytes = 0

        mutating func remove(_ name: String) { if let size = files.remove(name) { bytes -= size } }
    }

    let directory: String
    private let list = Lock(List())
    private let thread = Worker(bound: 4_096)
    private let log: Log
    private let hasWarned = Lock(false)
    private static let patienceNanoseconds: UInt64 = 5_000_000_000
    private static let headBytes = 8
    private static let most = 16 * 1_048_576

    init(in directory: String, _ log: Log) {
        self.directory = directory
        self.log = log
        thread.begin { [self] in open() }
    }

    /// Waits until all pending writes are done, and stops the cache's thread.
    func stop() { thread.join() }

    var size: (entries: Int, bytes: Int) { list.withLock { ($0.files.count, $0.bytes) } }

    // MARK: From loops

    /// Returns a cached response; nil if there is none or its file cannot be read.
    func response(_ key: CacheKey, on loop: EventLoop) async -> Body? {
        let name = key.fileName
        guard list.withLock({ $0.files.use(name) }) != nil else { return nil }
        return await thread.result(on: loop, withinNanoseconds: Self.patienceNanoseconds) { [self] in
            read(name, key)
        } ?? nil
    }

    /// Queues a response for writing and returns at once.
    /// - Parameters:
    ///   - response: returns the bytes to write; called on the cache's thread.
    ///   - seconds: the lifetime of the response; 0 if it does not expire.
    func add(
        _ key: CacheKey,
        lastingSeconds seconds: Int,
        within bounds: MemoryCache.Bounds,
        _ response: @escaping @Sendable () -> [UInt8]
    ) {
        thread.begin { [self] in
            let end = seconds == 0 ? 0 : UInt64(clamping: time(nil) + seconds)
            let head = (0..<Self.headBytes).map { UInt8(truncatingIfNeeded: end >> (8 * UInt64($0))) }
            let bytes = head + response()
            let name = key.fileName
            guard bytes.count <= bounds.bytes else { return }
            guard write(bytes, name) else { return warn("the directory of the cache cannot be written") }
            add(name, bytes.count)
            while let old = oldest(over: bounds) { remove(old) }
        }
    }

    // MARK: On the thread

    /// Adds the files that earlier processes left in the cache's directory to `list`, oldest first.
    private func open() {
        mkdir(directory, 0o700)
        guard let entries = opendir(directory) else { return warn("the directory of the cache cannot be opened") }
        defer { closedir(entries) }
        var found: [(name: String, bytes: Int, at: Int)] = []
        while let entry = readdir(entries) {
            // The name is read in place: an entry ends with its name, so a copy of the whole field could read past the
            // buffer.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            var status = stat()
            guard CacheKey.isFileName(name), stat(path(name), &status) == 0 else {
                if name.hasSuffix(Self.unfinished) { unlink(path(name)) }
                continue
            }
            found.append((name, Int(min(status.st_size, 1 << 40)), status.st_mtim.tv_sec))
        }
        for file in found.sorted(by: { $0.at < $1.at }) { add(file.name, file.bytes) }
    }

    private static let unfinished = ".new"

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func add(_ name: String, _ bytes: Int) {
        list.withLock { list in
            list.remove(name)
            list.files.set(name, bytes)
            list.bytes += bytes
        }
    }

    private func oldest(over bounds: MemoryCache.Bounds) -> String? {
        list.withLock { list in
            list.files.count > bounds.entries || list.bytes > bounds.bytes ? list.files.leastRecentlyUsed?.key : nil
        }
    }

    private func remove(_ name: String) {
        unlink(path(name))
        list.withLock { $0.remove(name) }
    }

    /// Removes all cached files on the cache's thread. Returns at once.
    func removeAll() {
        thread.begin { [self] in
            while let name = list.withLock({ $0.files.leastRecentlyUsed?.key }) { remove(name) }
        }
    }

    private func read(_ name: String, _ key: CacheKey) -> Body? {
        guard let bytes = WholeFile.read(path(name), limitBytes: Self.most), bytes.count > Self.headBytes else {
            remove(name)
            return nil
        }
        let end = (0..<Self.headBytes).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) }
        guard end == 0 || end > UInt64(clamping: time(nil)), let response = key.open(Array(bytes[Self.headBytes...]))
        else {
            remove(name)
            return nil
        }
        return response
    }

    /// Writes a file atomically, and makes the directory again if it was removed. Returns false if this fails.
    private func write(_ bytes: [UInt8], _ name: String) -> Bool {
        let path = path(name)
        let write = { WholeFile.write(bytes, to: path, by: path + Self.unfinished) }
        return write() || errno == ENOENT && mkdir(directory, 0o700) == 0 && write()
    }

    /// Logs the first problem with the directory; later problems are not logged. Requests continue without the cache.
    private func warn(_ problem: StaticString) {
        let reason = systemError
        let isFirst = hasWarned.withLock { hasWarned in
            defer { hasWarned = true }
            return !hasWarned
        }
        guard isFirst else { return }
        log.warning(problem) { [directory] line in
            line.add("directory", directory)
            line.add("cause", reason)
        }
    }
}
