/// The width and height of an image in pixels, read from its header.
package struct ImageSize: Sendable, Equatable {
    package let width: Int
    package let height: Int

    package static let maxPixels = 100_000_000
    /// The largest number of JPEG segments or PNG chunks that are read before the search in an image is given up.
    static let maxSteps = 65_536

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// Reads the size from an image's header; nil if the header is incomplete, a side is 0, or the image is an SVG.
    package init?(of type: MediaType, _ bytes: UnsafeRawBufferPointer) {
        let sides: (Int, Int)? =
            switch type {
            case .png: bytes.has("IHDR", at: 12) ? bytes.big(4, at: 16).pair(bytes.big(4, at: 20)) : nil
            case .gif: bytes.little(2, at: 6).pair(bytes.little(2, at: 8))
            case .jpeg: Self.jpeg(bytes)
            case .webp: Self.webp(bytes)
            default: nil
            }
        guard let (width, height) = sides, width > 0, height > 0, width < 1 << 31, height < 1 << 31 else { return nil }
        self.width = width
        self.height = height
    }

    package var isWithinLimit: Bool { width * height <= Self.maxPixels }

    /// Returns the width and height in the frame header of a JPEG (ITU T.81, B.2.2).
    private static func jpeg(_ bytes: UnsafeRawBufferPointer) -> (Int, Int)? {
        var offset = 2
        var steps = 0
        while offset + 4 <= bytes.count, steps < maxSteps {
            steps += 1
            guard bytes[offset] == 0xff else { return nil }
            let marker = bytes[offset + 1]
            if marker == 0xff {
                offset += 1
                continue
            }
            if marker == 1 || (0xd0...0xd8).contains(marker) {
                offset += 2
                continue
            }
            let isFrame = (0xc0...0xcf).contains(marker) && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
            if isFrame { return bytes.big(2, at: offset + 7).pair(bytes.big(2, at: offset + 5)) }
            guard marker != 0xda, marker != 0xd9, let length = bytes.big(2, at: offset + 2), length >= 2 else {
                return nil
            }
            offset += 2 + length
        }
        return nil
    }

    /// Returns the width and height in the first chunk of a WebP image (RFC 9649, 2.5 to 2.7).
    private static func webp(_ bytes: UnsafeRawBufferPointer) -> (Int, Int)? {
        if bytes.has("VP8X", at: 12) {
            return bytes.little(3, at: 24).map { $0 + 1 }.pair(bytes.little(3, at: 27).map { $0 + 1 })
        }
        if bytes.has("VP8L", at: 12) {
            guard bytes.has([0x2f], at: 20), let bits = bytes.little(4, at: 21) else { return nil }
            return (bits & 0x3fff + 1, bits >> 14 & 0x3fff + 1)
        }
        guard bytes.has("VP8 ", at: 12), bytes.has([0x9d, 0x01, 0x2a], at: 23) else { return nil }
        return bytes.little(2, at: 26).map { $0 & 0x3fff }.pair(bytes.little(2, at: 28).map { $0 & 0x3fff })
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func big(_ size: Int, at offset: Int) -> Int? {
        guard offset + size <= count else { return nil }
        return self[offset..<(offset + size)].reduce(0) { $0 << 8 | Int($1) }
    }

    fileprivate func little(_ size: Int, at offset: Int) -> Int? {
        guard offset + size <= count else { return nil }
        return self[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}

extension Int? {
    fileprivate func pair(_ other: Int?) -> (Int, Int)? {
        guard let self, let other else { return nil }
        return (self, other)
    }
}

extension ImageSize {
    package static let unknownTokens = 765
    package static let lowDetailTokens = 85

    private static let maxSide = 2_048
    private static let maxShortSide = 768
    private static let tileSide = 512

    /// The number of tokens that the image uses, by OpenAI's published rule.
    package var tokens: Int {
        var (width, height) = (width, height)
        if max(width, height) > Self.maxSide {
            let longest = max(width, height)
            (width, height) = (width * Self.maxSide / longest, height * Self.maxSide / longest)
        }
        if min(width, height) > Self.maxShortSide {
            let shortest = min(width, height)
            (width, height) = (width * Self.maxShortSide / shortest, height * Self.maxShortSide / shortest)
        }
        func tiles(_ side: Int) -> Int { max(1, (side + Self.tileSide - 1) / Self.tileSide) }
        return Self.lowDetailTokens + 170 * tiles(width) * tiles(height)
    }
}
