import Engine
import Glibc
import Synchronization

/// A connection to one memcached server, in the binary protocol. It makes one call at a time. It must not be used after
/// a call has thrown.
final class MemcachedConnection: PolledConnection {
    private let socket: PlainSocket
    private let timeoutMilliseconds: Int32
    private let id: UInt64
    /// The seconds by which memcached's clock is ahead of this machine's clock.
    private var offsetSeconds = 0
    private var nextTag: UInt32 = 0
    private var output: [UInt8] = []
    private var sentBytes = 0
    /// The parser for the current call's response; nil if there is no call.
    private var response: MemcachedResponseParser?
    /// One element for each write of the current call: the result of a write that failed before it was sent; nil for a
    /// write that is sent.
    private var known: [WriteResult?] = []
    /// The buffer for received bytes.
    private var room = [UInt8](repeating: 0, count: 16_384)

    private static let lastID = Atomic<UInt64>(0)
    /// The number of seconds above which memcached takes an expiry as a date.
    private static let longestSpanSeconds = 30 * 86_400

    /// Opens a connection, and reads memcached's clock. Blocks.
    init(_ address: MemcachedAddress, timeoutMilliseconds: Int) throws(StoreFailure) {
        let wait = Int32(clamping: max(1, timeoutMilliseconds))
        self.timeoutMilliseconds = wait
        socket = try Self.failure { () throws(SocketFailure) in
            try PlainSocket(host: address.host, port: address.port, timeoutMilliseconds: wait)
        }
        id = Self.lastID.add(1, ordering: .relaxed).newValue
        do throws(StoreFailure) {
            offsetSeconds = try status().seconds - Glibc.time(nil)
        } catch {
            throw StoreFailure(reason: "\(error.reason) from the program at this port, which may not be memcached")
        }
    }

    // MARK: Without blocking

    var descriptor: Int32 { socket.descriptor }
    var isSending: Bool { sentBytes < output.count }

    func begin(_ call: PolledCall) throws(StoreFailure) -> PolledResult? {
        switch call {
        case .read(let keys):
            if keys.isEmpty { return .values([]) }
            try send(.read(keys))
        case .state: try send(.state)
        case .write(let writes, let keys):
            known = writes.map(result)
            var asked: [MemcachedRequest.Write] = []
            for (write, result) in zip(writes, known) where result == nil { asked.append(request(write)) }
            if asked.isEmpty, keys.isEmpty { return .wrote(known.compactMap(\.self), []) }
            try send(.write(asked, thenRead: keys))
        }
        return nil
    }

    func proceed() throws(StoreFailure) -> PolledResult? {
        if isSending { try sendMore() }
        while true {
            let count = try room.withUnsafeMutableBufferPointer { room throws(StoreFailure) in
                try Self.failure { () throws(SocketFailure) in
                    try socket.receive(into: UnsafeMutableRawBufferPointer(room))
                }
            }
            if count == 0 { return nil }
            if case .none = response { throw StoreFailure(reason: "an unexpected response") }
            let taken = try room.withUnsafeBufferPointer { room throws(StoreFailure) in
                try response?.consume(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: room[..<count])))
            }
            guard let ended = taken else { continue }
            response = nil
            guard case .wrote(let results, let values) = ended, results.count < known.count else { return ended }
            var rest = results[...]
            return .wrote(known.compactMap { $0 ?? rest.popFirst() }, values)
        }
    }

    /// Returns the result of a write that has failed before it is sent; nil if the write must be sent.
    private func result(of write: StoreWrite) -> WriteResult? {
        if write.value.count > MemcachedResponseParser.valueBytes {
            return .refused(reason: "the record is too large for memcached")
        }
        guard let version = write.version else { return nil }
        return version.connection == id && version.number != 0 ? nil : .lost
    }

    private func request(_ write: StoreWrite) -> MemcachedRequest.Write {
        let expiry = expiry(write.expirySeconds)
        let number = write.version?.number ?? 0
        return MemcachedRequest.Write(write.key, write.value, number: number, expiry: expiry, mark: write.mark)
    }

    private func send(_ request: MemcachedRequest) throws(StoreFailure) {
        if case .some = response { preconditionFailure("another call is under way") }
        output = request.bytes(firstTag: nextTag)
        sentBytes = 0
        response = MemcachedResponseParser(to: request, firstTag: nextTag, connection: id)
        nextTag &+= request.tags
        try sendMore()
    }

    private func sendMore() throws(StoreFailure) {
        sentBytes += try output.withUnsafeBufferPointer { bytes throws(StoreFailure) in
            let rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[sentBytes...])
            return try Self.failure { () throws(SocketFailure) in try socket.send(rest) }
        }
    }

    private static func failure<Result: ~Copyable>(
        for body: () throws(SocketFailure) -> Result
    ) throws(StoreFailure) -> Result {
        do throws(SocketFailure) { return try body() } catch { throw StoreFailure(reason: error.reason) }
    }

    private func expiry(_ seconds: Int) -> Int {
        seconds < Self.longestSpanSeconds ? seconds : Glibc.time(nil) + offsetSeconds + seconds
    }

    // MARK: Blocking

    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?] {
        guard case .values(let values) = try response(.read(keys)) else { preconditionFailure("another answer") }
        return values
    }

    func write(_ write: StoreWrite) throws(StoreFailure) -> WriteResult {
        guard case .wrote(let results, _) = try response(.write([write], thenRead: [])) else {
            preconditionFailure("another answer")
        }
        return results[0]
    }

    func status() throws(StoreFailure) -> StoreState {
        guard case .state(let state) = try response(.state) else { preconditionFailure("another answer") }
        return state
    }

    private func response(_ call: PolledCall) throws(StoreFailure) -> PolledResult {
        if let response = try begin(call) { return response }
        while true {
            if let response = try proceed() { return response }
            try Self.failure { () throws(SocketFailure) in
                try socket.wait(isSending: isSending, timeoutMilliseconds: timeoutMilliseconds)
            }
        }
    }
}
