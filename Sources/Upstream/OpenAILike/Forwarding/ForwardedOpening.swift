import Engine

/// The first bytes of a vendor's response. They show whether it is of the requested kind, whatever it is called.
struct ForwardedOpening {
    /// The bytes that have arrived, without the space before them.
    let opening: UnsafeRawBufferPointer
    let kind: ForwardedEndpoint.ResponseKind
    let mediaType: String
    let isCalledJSON: Bool
    let wantsText: Bool

    /// The number of bytes that suffice.
    static let bytes = 64

    /// Whether the response may still be of another kind.
    var mayBeOther: Bool {
        if kind == .audio, isCalled("text/") { return true }
        return opening.first.map { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "<") } ?? true
    }

    /// Whether the body begins like a JSON object, although the response should be audio or text.
    var isJSON: Bool {
        guard opening.first == UInt8(ascii: "{") else { return false }
        let member = opening[part: 1..<opening.count].withoutSpaceBefore
        if kind == .audio {
            // Audio may begin with any bytes, but hardly with a JSON member name.
            return member.first == UInt8(ascii: "\"") && member.dropFirst().prefix(3).allSatisfy { 97...122 ~= $0 }
        }
        if wantsText, !isCalledJSON { return member.hasPrefix("\"error\"") }
        return member.first == UInt8(ascii: "\"") || member.first == UInt8(ascii: "}")
    }

    /// Whether the body is called a text, or nothing.
    var isText: Bool { !isCalledJSON && (mediaType.isEmpty || isCalled("text/")) && !isPage }

    var isPage: Bool {
        opening.beginsLowered("<html") || opening.beginsLowered("<!doctype html") || opening.beginsLowered("<?xml")
            || isCalled("text/html")
    }

    /// Whether the vendor sent text in place of audio, or media in place of text.
    var isOfOtherKind: Bool {
        if kind == .audio {
            return isCalled("text/") && opening.prefix(Self.bytes).allSatisfy { $0 >= 32 || 9...13 ~= $0 }
        }
        return isCalled("audio/") || isCalled("image/") || isCalled("video/")
    }

    private func isCalled(_ kind: String) -> Bool { mediaType.lowercased().utf8.starts(with: kind.utf8) }
}

extension UnsafeRawBufferPointer {
    var withoutSpaceBefore: UnsafeRawBufferPointer {
        let start = firstIndex { $0 != 32 && $0 != 9 && $0 != 10 && $0 != 13 } ?? count
        return self[part: start..<count]
    }
}
