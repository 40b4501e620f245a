import Engine

extension MediaType {
    /// The number of bytes at the start of a file that suffice to detect its type.
    package static let neededBytes = 4_096

    /// Detects the type of a file's content; nil if it is unknown or empty.
    /// - Parameter bytes: at least the first `neededBytes` bytes, or the whole content.
    package init?(content bytes: UnsafeRawBufferPointer) {
        guard let type = Self.image(bytes) ?? Self.audio(bytes) ?? Self.document(bytes) ?? Self.plain(bytes) else {
            return nil
        }
        self = type
    }

    private static func image(_ bytes: UnsafeRawBufferPointer) -> MediaType? {
        if bytes.has([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return .png }
        if bytes.has([0xff, 0xd8, 0xff]) { return .jpeg }
        if bytes.has("GIF87a") || bytes.has("GIF89a") { return .gif }
        if bytes.has("RIFF"), bytes.has("WEBP", at: 8) { return .webp }
        return nil
    }

    private static func audio(_ bytes: UnsafeRawBufferPointer) -> MediaType? {
        if bytes.has("RIFF"), bytes.has("WAVE", at: 8) { return .wav }
        if bytes.has("fLaC") { return .flac }
        if bytes.has("OggS") { return bytes.has("OpusHead", at: 28) ? .opus : .ogg }
        if bytes.has([0x1a, 0x45, 0xdf, 0xa3]) { return .webm }
        if bytes.has("ftyp", at: 4) { return bytes.has("M4A", at: 8) || bytes.has("M4B", at: 8) ? .m4a : .mp4 }
        if bytes.has("ID3") { return bytes.count > 10 ? .mp3 : nil }
        return frames(bytes)
    }

    /// Detects AAC and MP3 audio by two consecutive frame headers.
    private static func frames(_ bytes: UnsafeRawBufferPointer) -> MediaType? {
        guard bytes.count >= 7, bytes[0] == 0xff else { return nil }
        if bytes[1] & 0xf6 == 0xf0 {  // ADTS
            let length = Int(bytes[3] & 3) << 11 | Int(bytes[4]) << 3 | Int(bytes[5]) >> 5
            guard length >= 7, bytes[2] >> 2 & 15 < 13 else { return nil }
            guard length + 1 < bytes.count else { return length == bytes.count ? .aac : nil }
            return bytes[length] == 0xff && bytes[length + 1] & 0xf6 == 0xf0 ? .aac : nil
        }
        guard let length = layerThreeFrame(bytes, 0) else { return nil }
        guard length + 3 < bytes.count else { return length == bytes.count ? .mp3 : nil }
        return layerThreeFrame(bytes, length) == nil ? nil : .mp3
    }

    /// Returns the length in bytes of the MP3 frame at `offset`; nil if its header is invalid.
    private static func layerThreeFrame(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
        guard bytes[offset] == 0xff, bytes[offset + 1] & 0xe6 == 0xe2 else { return nil }
        let version = Int(bytes[offset + 1] >> 3 & 3)  // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
        let rate = Int(bytes[offset + 2] >> 4)
        let frequency = Int(bytes[offset + 2] >> 2 & 3)
        guard version != 1, (1...14).contains(rate), frequency < 3 else { return nil }
        let kilobits =
            version == 3
            ? [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
            : [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
        let hertz = [44_100, 48_000, 32_000][frequency] / (version == 3 ? 1 : version == 2 ? 2 : 4)
        let padding = Int(bytes[offset + 2] >> 1 & 1)
        return (version == 3 ? 144_000 : 72_000) * kilobits[rate] / hertz + padding
    }

    private static func document(_ bytes: UnsafeRawBufferPointer) -> MediaType? {
        if bytes.has("%PDF-") { return .pdf }
        if bytes.has([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) { return .doc }
        guard bytes.has([0x50, 0x4b, 3, 4]) else { return nil }
        return bytes.prefix(Self.neededBytes).holds("word/") ? .docx : .zip
    }

    /// Detects text, which is UTF-8 without control characters. Distinguishes JSON, SVG, XML and plain text.
    private static func plain(_ bytes: UnsafeRawBufferPointer) -> MediaType? {
        let start = bytes.has([0xef, 0xbb, 0xbf]) ? 3 : 0
        let isWhole = bytes.count <= neededBytes
        var text = bytes[start..<min(bytes.count, neededBytes)]
        // A character that is cut off at the end is no error.
        if !isWhole {
            while let last = text.last, last & 0xc0 == 0x80, text.count > neededBytes - 8 { text.removeLast() }
        }
        if !isWhole, let last = text.last, last >= 0xc0 { text.removeLast() }
        guard let first = text.first(where: { $0 > 32 }), text.allSatisfy(isOfText) else { return nil }
        guard String(validating: text, as: UTF8.self) != nil else { return nil }
        switch first {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return .json
        case UInt8(ascii: "<") where text.holds("<svg"): return .svg
        case UInt8(ascii: "<") where text.holds("<?xml"): return .xml
        default: return .text
        }
    }

    private static func isOfText(_ byte: UInt8) -> Bool { byte >= 32 && byte != 127 || (9...13).contains(byte) }
}

extension UnsafeRawBufferPointer {
    func has(_ signature: [UInt8], at offset: Int = 0) -> Bool {
        count >= offset + signature.count && self[offset..<(offset + signature.count)].elementsEqual(signature)
    }

    func has(_ signature: StaticString, at offset: Int = 0) -> Bool {
        let signature = UnsafeRawBufferPointer(start: signature.utf8Start, count: signature.utf8CodeUnitCount)
        return count >= offset + signature.count
            && self[offset..<(offset + signature.count)].elementsEqual(signature)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate func holds(_ part: String) -> Bool {
        let part = Array(part.utf8)
        StepCount.add(2 * count)
        return indices.contains { self[$0] == part[0] && self[$0...].starts(with: part) }
    }
}
