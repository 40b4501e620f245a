/// A parser for the response to one memcached request. The bytes can arrive in chunks of any size.
struct MemcachedResponseParser {
    private let request: MemcachedRequest
    private let firstTag: UInt32
    private let connection: UInt64
    /// The bytes of an incomplete message, kept until the rest of the message arrives.
    private var rest: [UInt8] = []
    /// The number of bytes of an oversized value that must still be discarded.
    private var skippedBytes = 0
    private var values: [StoredValue?] = []
    private var results: [WriteResult] = []
    /// The statistics that have been read, in the order of `statistics`; nil for each that is missing.
    private var numbers = [Int?](repeating: nil, count: statistics.count)
    private var ended: PolledResult?

    /// The maximum size of an accepted value, in bytes.
    static let valueBytes = 1_048_576
    private static let statistics = ["time", "uptime", "pid", "cmd_flush"]
    /// The times of memcached's clock that are accepted, in seconds since 1970: until the year 2514.
    private static let times = 0..<1 << 34
    /// The maximum size of an accepted message's body, in bytes.
    private static let bodyBytes = valueBytes + 512

    /// - Parameter connection: the connection's id, a part of the values' versions.
    init(to request: MemcachedRequest, firstTag: UInt32, connection: UInt64) {
        self.request = request
        self.firstTag = firstTag
        self.connection = connection
        if case .read(let keys) = request { values = [StoredValue?](repeating: nil, count: keys.count) }
    }

    /// Consumes received bytes. Returns the result; nil if the response is not complete yet. Throws if the response
    /// does not match the request.
    mutating func consume(_ bytes: UnsafeRawBufferPointer) throws(StoreFailure) -> PolledResult? {
        let skipped = min(skippedBytes, bytes.count)
        skippedBytes -= skipped
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[skipped...])
        if rest.isEmpty {
            let taken = try consumeMessages(bytes)
            rest = [UInt8](bytes[taken...])
        } else {
            rest += bytes
            let all = rest
            let taken = try all.withUnsafeBufferPointer { bytes throws(StoreFailure) in
                try consumeMessages(UnsafeRawBufferPointer(bytes))
            }
            rest.removeFirst(taken)
        }
        guard let ended, skippedBytes == 0 else { return nil }
        guard rest.isEmpty else { throw .outOfStep }
        return ended
    }

    /// Consumes all messages that have arrived completely.
    /// - Returns: the number of consumed bytes.
    private mutating func consumeMessages(_ bytes: UnsafeRawBufferPointer) throws(StoreFailure) -> Int {
        var offset = 0
        while ended == nil, bytes.count - offset >= MemcachedRequest.headBytes {
            let message = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            guard let head = MemcachedHead(message) else { throw .outOfStep }
            let isKept = head.bodyBytes <= Self.bodyBytes
            let end = MemcachedRequest.headBytes + head.bodyBytes
            guard !isKept || message.count >= end else { return offset }
            // An oversized value cannot be a record. It is treated like an empty one: as broken.
            let body = isKept ? UnsafeRawBufferPointer(rebasing: message[MemcachedRequest.headBytes..<end]) : nil
            try consume(head, body)
            skippedBytes = max(0, end - message.count)
            offset += min(end, message.count)
        }
        return offset
    }

    private mutating func consume(_ head: MemcachedHead, _ body: UnsafeRawBufferPointer?) throws(StoreFailure) {
        switch request {
        case .read(let keys): try consumeValue(head, body, of: keys.count)
        case .write(let writes, let keys):
            if results.count < writes.count {
                try consumeResult(head, of: writes)
            } else {
                try check(head, MemcachedRequest.Opcode.get, index: results.count + values.count)
                values.append(try value(head, body))
            }
            if results.count + values.count == writes.count + keys.count { ended = .wrote(results, values) }
        case .state: try consumeStatistic(head, body)
        }
    }

    private mutating func consumeValue(
        _ head: MemcachedHead,
        _ body: UnsafeRawBufferPointer?,
        of count: Int
    ) throws(StoreFailure) {
        if count > 1, head.opcode == MemcachedRequest.Opcode.noOperation {
            try check(head, MemcachedRequest.Opcode.noOperation, index: count)
            ended = .values(values)
            return
        }
        let index = Int(head.tag &- firstTag)
        guard index < count else { throw .outOfStep }
        try check(
            head,
            count == 1 ? MemcachedRequest.Opcode.get : MemcachedRequest.Opcode.getQuietly,
            index: index
        )
        if let value = try value(head, body) {
            if case .some = values[index] { throw .outOfStep }
            values[index] = value
        }
        if count == 1 { ended = .values(values) }
    }

    private func value(_ head: MemcachedHead, _ body: UnsafeRawBufferPointer?) throws(StoreFailure) -> StoredValue? {
        switch head.status {
        case MemcachedHead.Status.done:
            guard head.number != 0 else { throw .outOfStep }
            let version = StoredValue.Version(number: head.number, connection: connection)
            let value = body.map { [UInt8]($0[(head.extraBytes + head.keyBytes)...]) }
            return StoredValue(bytes: value ?? [], version: version, mark: body.map(head.mark) ?? 0)
        case MemcachedHead.Status.absent: return nil
        default: throw head.failure
        }
    }

    private mutating func consumeResult(
        _ head: MemcachedHead,
        of writes: [MemcachedRequest.Write]
    ) throws(StoreFailure) {
        try check(head, writes[results.count].opcode, index: results.count)
        guard let result = head.result(connection: connection) else { throw head.failure }
        results.append(result)
    }

    /// Consumes one statistic: a name and a value. After the last statistic, memcached sends an empty name.
    private mutating func consumeStatistic(
        _ head: MemcachedHead,
        _ body: UnsafeRawBufferPointer?
    ) throws(StoreFailure) {
        try check(head, MemcachedRequest.Opcode.statistics, index: 0)
        guard head.status == MemcachedHead.Status.done else { throw head.failure }
        guard head.keyBytes > 0 else {
            guard let seconds = numbers[0], Self.times.contains(seconds) else { throw .outOfStep }
            let startedAt = numbers[1].map { seconds - $0 }
            let life = startedAt.map { [$0, numbers[2] ?? 0, numbers[3] ?? 0] } ?? []
            ended = .state(StoreState(seconds: seconds, startedAt: startedAt, life: life))
            return
        }
        guard let body else { return }
        let value = head.extraBytes + head.keyBytes
        let index = Self.statistics.firstIndex { body[head.extraBytes..<value].elementsEqual($0.utf8) }
        if let index {
            numbers[index] = Int(String(decoding: body[value...], as: UTF8.self)).flatMap {
                0..<Self.times.upperBound ~= $0 ? $0 : nil
            }
        }
    }

    /// Checks that a message belongs to the current request; throws if not.
    private func check(_ head: MemcachedHead, _ opcode: UInt8, index: Int) throws(StoreFailure) {
        guard head.opcode == opcode, head.tag == firstTag &+ UInt32(index) else { throw .outOfStep }
    }
}

extension StoreFailure {
    fileprivate static let outOfStep = StoreFailure(reason: "a response to another request")
}

extension MemcachedHead {
    fileprivate var failure: StoreFailure { StoreFailure(reason: "it returned status \(status)") }
}
