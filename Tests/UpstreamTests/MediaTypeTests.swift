import Engine
import Testing

@testable import Upstream

@Suite struct MediaTypeTests {
    @Test(
        "audio is told by its first bytes",
        arguments: [
            ([0x49, 0x44, 0x33, 4], AudioType.mp3), ([0xff, 0xfb, 0x90, 0], .mp3), ([0xff, 0xf3, 0x90, 0], .mp3),
            ([0xff, 0xf1, 0x50, 0x80], .aac), ([0xff, 0xf9, 0x50, 0x80], .aac), (Array("fLaC".utf8), .flac),
            (Array("OggS".utf8), .opus), (Array("RIFF0000WAVE".utf8), .wav), (Array("0000ftypM4A ".utf8), .mp4),
            (Array("RIFF0000WEBP".utf8), nil), (Array("<htm".utf8), nil), ([0, 0, 0, 0], nil), ([0xff], nil), ([], nil),
        ] as [([UInt8], AudioType?)]
    )
    func audio(_ bytes: [UInt8], _ expected: AudioType?) {
        #expect(bytes.withUnsafeBytes { AudioType($0) } == expected)
    }

    @Test(
        "pictures are told by their first bytes",
        arguments: [
            ([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], PictureType.png), ([0xff, 0xd8, 0xff, 0xe0], .jpeg),
            (Array("RIFF0000WEBP".utf8), .webp), (Array("GIF89a".utf8), .gif), (Array(" <svg/>".utf8), .svg),
            (Array("<?xml version='1.0'?><svg/>".utf8), .svg), (Array("<html>".utf8), nil), ([], nil), ([0x89], nil),
        ] as [([UInt8], PictureType?)]
    )
    func picture(_ bytes: [UInt8], _ expected: PictureType?) {
        #expect(bytes.withUnsafeBytes { PictureType($0) } == expected)
    }
}
