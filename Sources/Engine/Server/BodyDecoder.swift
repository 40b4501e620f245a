import CCompression

/// A compression that request bodies may have (`Content-Encoding`).
package enum ContentCoding: Sendable {
    case gzip
    case zstd

    /// Reads the value of a `Content-Encoding` header. Returns nil for several codings, and for all others.
    package init?(_ value: UnsafeRawBufferPointer) {
        switch value {
        case let name where name.equalsLowered("gzip") || name.equalsLowered("x-gzip"): self = .gzip
        case let name where name.equalsLowered("zstd"): self = .zstd
        default: return nil
        }
    }
}

extension ContentCoding {
    /// Returns the number of decoded bytes that a compressed body claims: in its trailer (gzip) or in the head of its
    /// first frame (zstd). Returns nil if it claims none. It may have more, and the claim may be false.
    package func claimedBytes(of coded: UnsafeRawBufferPointer) -> Int? {
        switch self {
        case .gzip:
            guard coded.count >= 4 else { return nil }
            return Int(UInt32(littleEndian: coded.loadUnaligned(fromByteOffset: coded.count - 4, as: UInt32.self)))
        case .zstd: return Int(exactly: ZSTD_getFrameContentSize(coded.baseAddress, coded.count))
        }
    }
}

/// A decoder of one compressed body, which works in steps of limited length.
///
/// A gzip body is one member or several (RFC 1952), a zstd body is one frame or several (RFC 8878).
///
/// `@unchecked`: one thread at a time uses it.
package final class BodyDecoder: @unchecked Sendable {
    private let stream: any CodedStream
    private let coded: Body
    /// The number of compressed bytes that are decoded.
    private var offset = 0
    private var output = ByteBuffer()
    private let keepsOutput: Bool
    package private(set) var outputBytes = 0
    /// The reservation for the memory of the decoder. A thread may use the decoder after the request has ended.
    private let reservation: MemoryReservation?

    /// Creates a decoder. Throws an error with status 503 if there is no memory.
    /// - Parameter keepsOutput: whether the decoded bytes are kept, and not only counted.
    package init(
        _ coding: ContentCoding,
        _ coded: Body,
        _ reservation: MemoryReservation?,
        keepsOutput: Bool = true
    ) throws(RequestError) {
        let stream: (any CodedStream)? =
            switch coding {
            case .gzip: GzipStream()
            case .zstd: ZstdStream()
            }
        guard let stream else { throw .overloaded }
        self.stream = stream
        self.coded = coded
        self.reservation = reservation
        self.keepsOutput = keepsOutput
    }

    /// Whether the decoded bytes are whole: the body does not end inside a member or a frame.
    package var isWhole: Bool { stream.hasEnded && offset == coded.bytes.count }

    /// The memory that the decoder itself uses, in bytes.
    package var ownBytes: Int { stream.heldBytes }

    /// Reserves the memory for `bytes` decoded bytes. Returns false if memory is short.
    package func makeRoom(_ bytes: Int) -> Bool { output.canReserve(bytes - output.count) }

    /// Decodes at most `bytes` more bytes. Returns whether there were as many, so that more might follow.
    ///
    /// Throws an error with status 400 if the bytes are invalid, and with status 503 if there is no memory.
    package func decode(atMost bytes: Int) throws(RequestError) -> Bool {
        if !keepsOutput { output.removeAll() }
        guard output.canReserve(bytes) else { throw .overloaded }
        let room = UnsafeMutableRawBufferPointer(start: output.reserve(bytes), count: bytes)
        let (read, written) = try stream.decode(coded.bytes[part: offset..<coded.bytes.count], into: room)
        offset += read
        output.wrote(written)
        outputBytes += written
        return written == bytes
    }

    package func removeOutput() -> ByteBuffer {
        var bytes = ByteBuffer()
        swap(&bytes, &output)
        return bytes
    }
}

/// The state of a decoding library for one body.
private protocol CodedStream: AnyObject {
    var hasEnded: Bool { get }
    var heldBytes: Int { get }

    /// Decodes until all input is read or the room is full. Returns the numbers of bytes read and written.
    func decode(
        _ input: UnsafeRawBufferPointer,
        into room: UnsafeMutableRawBufferPointer
    ) throws(RequestError) -> (read: Int, written: Int)
}

private final class GzipStream: CodedStream {
    /// zlib keeps this address in its own state.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private(set) var hasEnded = false
    /// zlib.h: the state has 7 KB, the window 32 KB.
    let heldBytes = 40_960

    /// The largest window of deflate, and 16 for the header of gzip.
    private static let windowBits: Int32 = 15 + 16

    init?() {
        stream.initialize(to: z_stream())
        guard relay_inflate_begin(stream, Self.windowBits) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func decode(
        _ input: UnsafeRawBufferPointer,
        into room: UnsafeMutableRawBufferPointer
    ) throws(RequestError) -> (read: Int, written: Int) {
        let start = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: room.count)
        repeat {
            if hasEnded, stream.pointee.avail_in > 0 {
                inflateReset(stream)
                hasEnded = false
            }
            let code = inflate(stream, Z_NO_FLUSH)
            switch code {
            case Z_OK: continue
            case Z_STREAM_END: hasEnded = true
            // Neither input nor room is left.
            case Z_BUF_ERROR: break
            case Z_MEM_ERROR: throw .overloaded
            default: throw RequestError(400, "The request body is not valid gzip.")
            }
        } while stream.pointee.avail_in > 0 && stream.pointee.avail_out > 0
        return (input.count - Int(stream.pointee.avail_in), room.count - Int(stream.pointee.avail_out))
    }
}

private final class ZstdStream: CodedStream {
    private let stream: OpaquePointer
    private(set) var hasEnded = false

    /// The largest window of a frame: 8 MB, as RFC 9659 demands.
    private static let windowLog: Int32 = 23

    init?() {
        guard let stream = ZSTD_createDStream() else { return nil }
        self.stream = stream
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLog)
    }

    deinit { ZSTD_freeDStream(stream) }

    var heldBytes: Int { ZSTD_sizeof_DStream(stream) }

    func decode(
        _ input: UnsafeRawBufferPointer,
        into room: UnsafeMutableRawBufferPointer
    ) throws(RequestError) -> (read: Int, written: Int) {
        // zstd would begin another frame.
        if hasEnded, input.isEmpty { return (0, 0) }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        repeat {
            let code = ZSTD_decompressStream(stream, &target, &source)
            if ZSTD_isError(code) != 0 {
                guard ZSTD_getErrorCode(code) != ZSTD_error_memory_allocation else { throw .overloaded }
                throw RequestError(400, "The request body is not valid zstd with a window of at most 8 MB.")
            }
            hasEnded = code == 0
        } while source.pos < source.size && target.pos < target.size
        return (source.pos, target.pos)
    }
}
