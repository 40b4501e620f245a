/// One request to memcached in its binary protocol: https://docs.memcached.org/protocols/binary/.
enum MemcachedRequest {
    case read([String])
    case write([Write], thenRead: [String])
    case state

    struct Write {
        let key: String
        let value: [UInt8]
        /// The version of the value to replace; 0 for a new value.
        let number: UInt64
        let expiry: Int
        /// The flags, which memcached keeps with the value.
        let mark: UInt32

        init(_ key: String, _ value: [UInt8], number: UInt64, expiry: Int, mark: UInt32 = 0) {
            self.key = key
            self.value = value
            self.number = number
            self.expiry = expiry
            self.mark = mark
        }

        var opcode: UInt8 { number == 0 ? Opcode.add : Opcode.set }
    }

    enum Opcode {
        static let get: UInt8 = 0x00
        static let set: UInt8 = 0x01
        static let add: UInt8 = 0x02
        static let getQuietly: UInt8 = 0x09
        static let noOperation: UInt8 = 0x0a
        static let statistics: UInt8 = 0x10
    }

    static let headBytes = 24

    /// Encodes the request as one or more messages. Their tags count up from `firstTag`.
    func bytes(firstTag: UInt32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { room, count in
            var output = Output(rest: UnsafeMutableRawBufferPointer(room), tag: firstTag)
            switch self {
            case .read(let keys) where keys.count == 1: output.put(Opcode.get, keys[0])
            case .read(let keys):
                for key in keys { output.put(Opcode.getQuietly, key) }
                output.put(Opcode.noOperation, "")
            case .write(let writes, let keys):
                for write in writes { output.put(write.opcode, write.key, write) }
                for key in keys { output.put(Opcode.get, key) }
            case .state: output.put(Opcode.statistics, "")
            }
            count = byteCount
        }
    }

    /// The number of tags that the request needs: one for each of its messages.
    var tags: UInt32 {
        switch self {
        case .read(let keys): UInt32(keys.count == 1 ? 1 : keys.count + 1)
        case .write(let writes, let keys): UInt32(writes.count + keys.count)
        case .state: 1
        }
    }

    private var byteCount: Int {
        switch self {
        case .read(let keys): return (keys.count == 1 ? 0 : Self.headBytes) + Self.byteCount(keys)
        case .write(let writes, let keys):
            return writes.reduce(Self.byteCount(keys)) {
                $0 + Self.headBytes + Self.extraBytes + $1.key.utf8.count + $1.value.count
            }
        case .state: return Self.headBytes
        }
    }

    private static func byteCount(_ keys: [String]) -> Int { keys.reduce(0) { $0 + headBytes + $1.utf8.count } }

    /// The size of the extra fields of a write, in bytes: the flags and the expiry.
    private static let extraBytes = 8

    private struct Output {
        var rest: UnsafeMutableRawBufferPointer
        var tag: UInt32

        mutating func put(_ opcode: UInt8, _ key: String, _ write: Write? = nil) {
            let extras = write == nil ? 0 : extraBytes
            let body = extras + key.utf8.count + (write?.value.count ?? 0)
            put(UInt16(0x8000) | UInt16(opcode))
            put(UInt16(key.utf8.count))
            put(UInt32(extras) << 24)
            put(UInt32(body))
            put(tag)
            put(write?.number ?? 0)
            if let write {
                put(write.mark)
                put(UInt32(clamping: write.expiry))
            }
            var key = key
            key.withUTF8 { put(UnsafeRawBufferPointer($0)) }
            write?.value.withUnsafeBytes { put($0) }
            tag &+= 1
        }

        /// Appends a number in network byte order.
        private mutating func put(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.bigEndian) { put($0) }
        }

        private mutating func put(_ bytes: UnsafeRawBufferPointer) {
            rest.copyMemory(from: bytes)
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[bytes.count...])
        }
    }
}

/// The header of one message of a response.
struct MemcachedHead {
    let opcode: UInt8
    let keyBytes: Int
    let extraBytes: Int
    let status: UInt16
    /// The length of the extra fields, the key and the value together, in bytes.
    let bodyBytes: Int
    let tag: UInt32
    /// The version of the value in the message; 0 if there is none.
    let number: UInt64

    /// Decodes a header. Returns nil if the bytes are not the header of a response.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemcachedRequest.headBytes, bytes[0] == 0x81 else { return nil }
        opcode = bytes[1]
        keyBytes = Int(bytes.number(at: 2, UInt16.self))
        extraBytes = Int(bytes[4])
        status = bytes.number(at: 6, UInt16.self)
        bodyBytes = Int(bytes.number(at: 8, UInt32.self))
        tag = bytes.number(at: 12, UInt32.self)
        number = bytes.number(at: 16, UInt64.self)
        guard keyBytes + extraBytes <= bodyBytes else { return nil }
    }

    enum Status {
        static let done: UInt16 = 0
        static let absent: UInt16 = 1
        static let exists: UInt16 = 2
        static let tooLarge: UInt16 = 3
        static let notStored: UInt16 = 5
        static let outOfMemory: UInt16 = 0x82
    }

    /// Returns the mark of the value in a message with this body; 0 if it has none.
    func mark(in body: UnsafeRawBufferPointer) -> UInt32 {
        extraBytes >= 4 ? body.number(at: 0, UInt32.self) : 0
    }

    /// Returns the result of a write from its response's status; nil if the status is unexpected.
    func result(connection: UInt64) -> WriteResult? {
        switch status {
        case Status.done: .written(StoredValue.Version(number: number, connection: connection))
        case Status.exists, Status.absent, Status.notStored: .lost
        case Status.tooLarge: .refused(reason: "the record is too large for memcached")
        case Status.outOfMemory: .refused(reason: "out of memory")
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func number<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
        Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
