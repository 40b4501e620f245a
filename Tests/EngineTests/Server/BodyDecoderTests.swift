import CCompression
import Support
import Testing

@testable import Engine

@Suite struct BodyDecoderTests {
    static let texts = ["", "a", "{\"a\":[1,2,3]}", String(repeating: "all work and no play. ", count: 3_000)]

    @Test("a body is decoded, however small the room is, and counted", arguments: ["gzip", "zstd"], texts)
    func decodes(_ name: String, _ text: String) throws {
        let packed = pack(name, text)
        for stepBytes in [1, 1_000, 1_000_000] where stepBytes > 1 || text.utf8.count < 100 {
            #expect(try decoded(name, packed, stepBytes) == text)
            #expect(try decoded(name, packed + packed, stepBytes) == text + text)
            #expect(try count(name, packed + packed, stepBytes) == 2 * text.utf8.count)
        }
    }

    @Test("a body claims its size, or none, but never ends the process", arguments: ["gzip", "zstd"], texts)
    func claims(_ name: String, _ text: String) throws {
        let (packed, coding) = (pack(name, text), try #require(name.withBytes { ContentCoding($0) }))
        #expect(packed.withUnsafeBytes { coding.claimedBytes(of: $0) } == text.utf8.count)
        for length in packed.indices {
            let claim = Array(packed[..<length]).withUnsafeBytes { coding.claimedBytes(of: $0) }
            #expect(claim ?? 0 >= 0)
        }
    }

    @Test("a body that ends too early is not whole", arguments: ["gzip", "zstd"])
    func findsCuts(_ name: String) throws {
        let packed = pack(name, Self.texts[2])
        for length in 0..<packed.count { #expect(try decoded(name, Array(packed[..<length]), 1_000) == nil) }
        #expect(throws: RequestError.self) { try decoded(name, packed + [0, 0, 0, 0, 0], 1_000) }
    }

    @Test("any damage is an error or harmless, and never ends the process", arguments: ["gzip", "zstd"])
    func bearsDamage(_ name: String) {
        let packed = pack(name, Self.texts[3])
        for offset in packed.indices {
            for change: UInt8 in [1, 0x80, 0xff] {
                var damaged = packed
                damaged[offset] ^= change
                let text = try? decoded(name, damaged, 10_000)
                // A header has fields without meaning, such as the time.
                #expect(text == nil || text == Self.texts[3] || offset < 10)
            }
        }
    }

    private func decoder(
        _ name: String,
        _ packed: [UInt8],
        _ stepBytes: Int,
        keepsOutput: Bool = true
    ) throws(RequestError) -> BodyDecoder? {
        guard let coding = name.withBytes({ ContentCoding($0) }) else { return nil }
        let coded = packed.withUnsafeBytes { Body(copying: $0) }
        let decoder = try BodyDecoder(coding, coded, nil, keepsOutput: keepsOutput)
        while try decoder.decode(atMost: stepBytes) {}
        return decoder.isWhole ? decoder : nil
    }

    private func decoded(_ name: String, _ packed: [UInt8], _ stepBytes: Int) throws(RequestError) -> String? {
        try decoder(name, packed, stepBytes)?.removeOutput().text
    }

    private func count(_ name: String, _ packed: [UInt8], _ stepBytes: Int) throws(RequestError) -> Int? {
        try decoder(name, packed, stepBytes, keepsOutput: false)?.outputBytes
    }

    private func pack(_ name: String, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var packed = [UInt8](repeating: 0, count: bytes.count + 1_000)
        if name == "zstd" {
            let context = ZSTD_createCCtx()
            ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
            packed.removeLast(packed.count - ZSTD_compress2(context, &packed, packed.count, bytes, bytes.count))
            ZSTD_freeCCtx(context)
        } else {
            var stream = z_stream()
            let size = Int32(MemoryLayout<z_stream>.size)
            deflateInit2_(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
            var input = bytes
            let capacity = packed.count
            input.withUnsafeMutableBufferPointer { input in
                packed.withUnsafeMutableBufferPointer { output in
                    (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
                    (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
                    deflate(&stream, Z_FINISH)
                }
            }
            packed.removeLast(capacity - Int(stream.total_out))
            deflateEnd(&stream)
        }
        return packed
    }
}
