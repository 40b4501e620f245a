import Engine
import Shared

/// The compressed JSON body of a request, which is decoded after it has arrived.
///
/// The memory of the decoded bytes is reserved at once: before the body arrives, by what others needed, and then by what
/// this body needs. A body that waits for more memory holds only its compressed bytes, or bodies would wait for each
/// other.
struct CompressedBody {
    let coding: ContentCoding
    let request: RequestBody
    let gateway: Gateway
    let limitBytes: Int
    var coded = Body(ByteBuffer())
    var heldBytes = 0

    /// The memory for a decoder before it knows the window of the body, and for the first step, in bytes.
    private static let firstHeldBytes = 65_536 + 2 * firstStepBytes
    private static let firstStepBytes = 65_536
    private static let stepBytes = 262_144
    /// The number of compressed bytes of a body that are decoded on the event loop; more are decoded on a worker.
    private static let loopBytes = 16_384

    /// Waits for the whole body, decodes it, and leaves the decoded bytes in the body of the request. Twice their memory
    /// stays reserved: for the bytes, and for what is parsed from them.
    ///
    /// Throws an error with status 413 if the compressed or decoded body is larger than the limit, and with status 400
    /// if the body cannot be decoded.
    mutating func decode() async throws(RequestError) {
        let earlierBytes = request.largeHold?.bytes ?? 0
        let isExpected = request.isLarge && request.declaredBytes ?? 0 <= limitBytes
        if isExpected, let bytes = request.declaredBytes {
            let mostBytes = min(gateway.memory.quarterBytes / 2, 2 * limitBytes)
            try await request.hold(
                max(bytes, min(gateway.compressedNeeds.expectedBytes(of: bytes), mostBytes)),
                inLine: true
            )
        }
        try await request.collect(limitBytes: limitBytes, isHeld: isExpected)
        heldBytes = (request.largeHold?.bytes ?? 0) - earlierBytes
        coded = request.removeBytes()
        if let bytes = coding.claimedBytes(of: coded.bytes), try await decode(ofBytes: bytes) { return }
        guard try await decode(ofBytes: measuredBytes()) else { throw .overloaded }
    }

    /// Decodes a body of at most `bytes` bytes. Returns false if the body has more bytes, or needs a larger window than
    /// its beginning says.
    private mutating func decode(ofBytes bytes: Int) async throws(RequestError) -> Bool {
        // The byte beyond the expected ones shows that there are more.
        let roomBytes = min(bytes, limitBytes) + 1
        try await hold(coded.bytes.count + Self.firstHeldBytes)
        let decoder = try BodyDecoder(coding, coded, request.largeHold)
        var isFull = try await step(decoder, min(roomBytes, Self.firstStepBytes))
        // A window is allocated whole, but only the part that has bytes takes memory.
        let ownBytes = decoder.ownBytes
        let neededBytes = max(2 * roomBytes, roomBytes + coded.bytes.count) + ownBytes
        if isFull, decoder.outputBytes < roomBytes {
            try await hold(neededBytes)
            guard decoder.makeRoom(roomBytes) else { throw .overloaded }
        }
        while isFull, decoder.outputBytes < roomBytes, decoder.ownBytes <= ownBytes {
            isFull = try await step(decoder, min(roomBytes - decoder.outputBytes, Self.stepBytes))
        }
        guard decoder.outputBytes < roomBytes, decoder.ownBytes <= ownBytes else { return false }
        if request.isLarge { gateway.compressedNeeds.record(neededBytes, of: coded.bytes.count) }
        request.giveBack(heldBytes - 2 * decoder.outputBytes)
        request.replace(by: decoder.removeOutput())
        return true
    }

    /// Returns the number of decoded bytes. Decodes the body without keeping them.
    private mutating func measuredBytes() async throws(RequestError) -> Int {
        let codedBytes = coded.bytes.count
        try await hold(codedBytes + Self.firstHeldBytes)
        let decoder = try BodyDecoder(coding, coded, request.largeHold, keepsOutput: false)
        while try await step(decoder, Self.firstStepBytes) {
            try await hold(codedBytes + Self.firstStepBytes + decoder.ownBytes)
        }
        return decoder.outputBytes
    }

    /// Waits until the request holds at least `bytes` bytes for the body.
    private mutating func hold(_ bytes: Int) async throws(RequestError) {
        guard bytes > heldBytes else { return }
        let keptBytes = min(heldBytes, coded.bytes.count)
        request.giveBack(heldBytes - keptBytes)
        heldBytes = keptBytes
        try await request.hold(bytes - keptBytes)
        heldBytes = bytes
    }

    /// Runs one step of the decoder. Returns whether more bytes might follow.
    private func step(_ decoder: BodyDecoder, _ bytes: Int) async throws(RequestError) -> Bool {
        let work = { @Sendable in Result { () throws(RequestError) in try decoder.decode(atMost: bytes) } }
        let isShort = coded.bytes.count <= Self.loopBytes && decoder.outputBytes + bytes <= JSONBody.loopBytes
        let (loop, patience) = (gateway.loop, JSONBody.patienceNanoseconds)
        let result = isShort ? work() : await gateway.reader.result(on: loop, withinNanoseconds: patience, of: work)
        guard let result else { throw Task.isCancelled ? .clientLeft : .overloaded }
        let isFull = try result.get()
        if decoder.outputBytes > limitBytes { throw .decodedBodyTooLarge(limitBytes: limitBytes) }
        if !isFull, !decoder.isWhole { throw RequestError(400, "The compressed request body ends too early.") }
        return isFull
    }
}

/// The memory that recent compressed bodies on one loop needed.
final class CompressedNeeds: OnLoop, @unchecked Sendable {
    /// The mean of the memory for each compressed byte, in bytes.
    private var mean = 8.0

    func record(_ neededBytes: Int, of codedBytes: Int) {
        mean += (min(Double(neededBytes) / Double(codedBytes), 32) - mean) / 8
    }

    func expectedBytes(of codedBytes: Int) -> Int { Int(Double(codedBytes) * mean) }
}
