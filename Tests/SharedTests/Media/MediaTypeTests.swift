import CPicture
import Support
import Testing

@testable import Shared

@Suite struct MediaTypeTests {
    private func type(_ bytes: [UInt8]) -> MediaType? { bytes.withUnsafeBytes { MediaType(content: $0) } }

    private func size(_ type: MediaType, _ bytes: [UInt8]) -> ImageSize? {
        bytes.withUnsafeBytes { ImageSize(of: type, $0) }
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// A frame of 417 bytes, with 128 kbit/s and 44.1 kHz.
    private static let mp3Frame: [UInt8] = [0xff, 0xfb, 0x90, 0x00] + [UInt8](repeating: 0, count: 413)
    private static let aacFrame: [UInt8] = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x00]
    private static let jpeg: [UInt8] = [
        0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xff, 0xc0, 0, 11, 8, 0, 50, 0, 40, 1, 1, 0x11, 0,
    ]

    private static let known: [(MediaType, [UInt8])] = [
        (.png, png([0, 1], width: 2)),
        (.jpeg, jpeg),
        (.gif, text("GIF89a") + [3, 0, 2, 0]),
        (.webp, text("RIFF") + [26, 0, 0, 0] + text("WEBPVP8L")),
        (.svg, text("<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>")),
        (.svg, text("\u{feff}<svg/>")),
        (.mp3, text("ID3") + [4, 0, 0, 0, 0, 0, 0, 0]),
        (.mp3, mp3Frame + mp3Frame),
        (.mp3, mp3Frame),
        (.wav, text("RIFF") + [36, 0, 0, 0] + text("WAVEfmt ")),
        (.flac, text("fLaC") + [0, 0, 0, 34]),
        (.ogg, text("OggS") + [UInt8](repeating: 0, count: 24) + [1] + text("vorbis")),
        (.opus, text("OggS") + [UInt8](repeating: 0, count: 24) + text("OpusHead")),
        (.webm, [0x1a, 0x45, 0xdf, 0xa3, 0x9f]),
        (.m4a, [0, 0, 0, 28] + text("ftypM4A ")),
        (.mp4, [0, 0, 0, 28] + text("ftypisom")),
        (.aac, aacFrame + aacFrame + aacFrame),
        (.pdf, text("%PDF-1.7\n")),
        (.doc, [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0]),
        (.zip, [0x50, 0x4b, 3, 4, 20, 0] + text("a.txt")),
        (.docx, [0x50, 0x4b, 3, 4, 20, 0] + text("[Content_Types].xml PK word/document.xml")),
        (.json, text(" \n{\"a\": 1}")),
        (.json, text("[1]")),
        (.xml, text("<?xml version=\"1.0\"?><a/>")),
        (.text, text("a;b\r\n1;2\r\n")),
        (.text, text("Grüße aus Köln")),
        (.text, text(String(repeating: "ü", count: 3_000))),
        (.text, text("x" + String(repeating: "\u{1F680}", count: 3_000))),
        (.text, text("<html>")),
    ]

    @Test("content says what it is, and a type its canonical name")
    func knows() {
        for (expected, bytes) in Self.known {
            #expect(type(bytes) == expected)
            #expect(expected.rawValue.contains("/") && !expected.fileExtension.contains("."))
        }
        #expect(Set(Self.known.map(\.0)) == Set(MediaType.allCases))
    }

    @Test("cut anywhere it is known as the same, as something plainer, or not at all")
    func cut() {
        for (_, bytes) in Self.known {
            for end in 0..<min(bytes.count, 600) {
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: end, alignment: 1)
                defer { copy.deallocate() }
                copy.copyBytes(from: bytes[..<end])
                _ = MediaType(content: UnsafeRawBufferPointer(copy))
                for type in MediaType.allCases { _ = ImageSize(of: type, UnsafeRawBufferPointer(copy)) }
            }
        }
    }

    @Test("what is nothing")
    func nothing() {
        let unknown: [[UInt8]] = [
            [], [0], [0xff], Self.text("   \n"), [0xff, 0xfb], [0xff, 0xfb, 0x90], [0x80, 0x81], Self.text("a\u{0}b"),
            Self.text("RIFF") + [0, 0, 0, 1] + Self.text("AVI "), [0xff, 0xfe, 0x61, 0],
            Self.mp3Frame + Self.text("then something else"),
            [0x89] + Self.text("PNG"), Self.text("ID3") + [4, 0], Self.text("caf") + [0xe9],

            [UInt8](repeating: 0xff, count: 5_000),
            [UInt8](repeating: 0, count: 5_000),
        ]
        for bytes in unknown { #expect(type(bytes) == nil, "\(bytes.prefix(12))") }
        // A text is a text, whatever its name is.
        #expect(type(Self.text("This is not music."))?.family == .document)
    }

    @Test("sizes by the header of each kind")
    func sizes() {
        #expect(size(.png, png([0, 1, 2, 3, 4, 5], width: 2)) == ImageSize(width: 2, height: 3))
        #expect(size(.gif, Self.text("GIF89a") + [3, 1, 2, 0]) == ImageSize(width: 259, height: 2))
        #expect(size(.jpeg, Self.jpeg) == ImageSize(width: 40, height: 50))
        let riff = Self.text("RIFF") + [26, 0, 0, 0] + Self.text("WEBP")
        let extended = riff + Self.text("VP8X") + [10, 0, 0, 0, 0, 0, 0, 0, 0x2b, 1, 0, 0xc7, 0, 0]
        #expect(size(.webp, extended) == ImageSize(width: 300, height: 200))
        // The sizes 300 and 200, each less one, in 14 bits.
        let bits = 299 | 199 << 14
        let lossless = riff + Self.text("VP8L") + [10, 0, 0, 0, 0x2f] + (0..<4).map { UInt8(bits >> (8 * $0) & 255) }
        #expect(size(.webp, lossless) == ImageSize(width: 300, height: 200))
        let lossy = riff + Self.text("VP8 ") + [10, 0, 0, 0, 0, 0, 0, 0x9d, 1, 0x2a, 0x2c, 0x41, 0xc8, 0x80]
        #expect(size(.webp, lossy) == ImageSize(width: 300, height: 200))
    }

    @Test("no size of what is cut, of no height, or of another kind; huge ones are not bearable")
    func badSizes() {
        let png = png([0], width: 1)
        for end in 0..<24 { #expect(size(.png, Array(png[..<end])) == nil) }
        #expect(size(.gif, Self.text("GIF89a") + [3, 0, 0, 0]) == nil)
        for end in 0..<18 { #expect(size(.jpeg, Array(Self.jpeg[..<end])) == nil) }
        #expect(size(.jpeg, [0xff, 0xd8] + [UInt8](repeating: 0xff, count: 100)) == nil)
        #expect(size(.jpeg, [0xff, 0xd8, 0xff, 0xe0, 0, 1, 0xff, 0xd9]) == nil)
        #expect(size(.mp3, Self.mp3Frame) == nil)
        #expect(ImageSize(width: 10_000, height: 10_000).isWithinLimit)
        #expect(!ImageSize(width: 10_001, height: 10_000).isWithinLimit)
        #expect(!ImageSize(width: 0x7fff_ffff, height: 0x7fff_ffff).isWithinLimit)
    }

    @Test(
        "names get the extension of their content",
        arguments: [
            (MediaType.png, "cat.png", "cat.png"), (.png, "cat.jpg", "cat.png"), (.png, "cat", "cat.png"),
            (.jpeg, "cat.JPEG", "cat.JPEG"), (.webm, "blob", "blob.webm"), (.text, "a.md", "a.txt"),
            (.text, "a.csv", "a.csv"), (.text, "", "file.txt"), (.mp3, ".mp3", ".mp3"), (.ogg, "x.oga", "x.oga"),
            (.mp3, "a.b.wav", "a.b.mp3"), (.pdf, "v1.", "v1..pdf"),
        ] as [(MediaType, String, String)]
    )
    func names(type: MediaType, given: String, expected: String) {
        #expect(type.fileName(given) == expected)
    }
}
