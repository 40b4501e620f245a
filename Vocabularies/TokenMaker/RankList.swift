import Engine
import Shared

/// The tokens of a vocabulary in the order of their ranks, of which none is missing.
struct RankList {
    let name: Vocabulary.Name
    /// The place in `bytes` at which each begins, and the end of the last one.
    let starts: [Int]
    let bytes: [UInt8]

    var count: Int { starts.count - 1 }

    /// `packed`: a byte with the length of each, then the bytes of all. What it unpacks to must be the published file.
    init(_ packed: [UInt8], _ name: Vocabulary.Name) {
        self.name = name
        let count = Self.published(name).tokens
        guard packed.count > count else { fail("\(name.rawValue): too short") }
        var starts = [0]
        for length in packed[..<count] { starts.append((starts.last ?? 0) + Int(length)) }
        bytes = Array(packed[count...])
        guard starts.last == bytes.count, !packed[..<count].contains(0) else {
            fail("\(name.rawValue): lengths are wrong")
        }
        self.starts = starts
        var file: [UInt8] = []
        for rank in 0..<count { Self.append(line(rank), "\(rank)", to: &file) }
        let digest = file.withUnsafeBytes { Digest(of: $0) }.withBytes { $0.map { hex($0) }.joined() }
        guard digest == Self.published(name).digest else { fail("\(name.rawValue): not what was published: \(digest)") }
    }

    private func line(_ rank: Int) -> ArraySlice<UInt8> { bytes[starts[rank]..<starts[rank + 1]] }

    /// Tokens, and the SHA-256 of the file that OpenAI publishes.
    private static func published(_ name: Vocabulary.Name) -> (tokens: Int, digest: String) {
        switch name {
        case .o200k: (199_998, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")
        case .cl100k: (100_256, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7")
        }
    }

    /// A line of the published file: Base64, a space, the rank.
    private static func append(_ token: ArraySlice<UInt8>, _ rank: String, to file: inout [UInt8]) {
        var index = token.startIndex
        while index < token.endIndex {
            let left = token.endIndex - index
            var group = UInt32(token[index]) << 16
            if left > 1 { group |= UInt32(token[index + 1]) << 8 }
            if left > 2 { group |= UInt32(token[index + 2]) }
            for place in 0..<4 {
                file.append(place > left ? UInt8(ascii: "=") : base64[Int(group >> UInt32(18 - 6 * place) & 63)])
            }
            index += 3
        }
        file.append(UInt8(ascii: " "))
        file += rank.utf8
        file.append(10)
    }

    private static let base64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}

private func hex(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return text.utf8.count == 1 ? "0" + text : text
}
