extension String {
    /// Returns the beginning of the text, at most `limit` bytes of UTF-8, without cutting a Unicode scalar.
    package func beginning(ofBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        return String(decoding: utf8.prefix(limit - brokenBytes(before: limit)), as: UTF8.self)
    }

    /// Returns the text shortened to at most `limit` bytes of UTF-8, without cutting a character. A short file
    /// extension is kept.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let tail = utf8.suffix(Self.extensionLimitBytes)
        let ending = tail.lastIndex(of: UInt8(ascii: ".")).map { tail[$0...].count } ?? 0
        StepCount.add(Self.extensionLimitBytes + limit)
        guard ending < limit else { return wholeCharacters(ofBytes: limit) }
        return wholeCharacters(ofBytes: limit - ending) + String(decoding: utf8.suffix(ending), as: UTF8.self)
    }

    /// Returns the beginning of the text, at most `limit` bytes. Cuts a character only if the first one is longer than
    /// `limit`.
    private func wholeCharacters(ofBytes limit: Int) -> String {
        // Only as much is examined as shows where the last character ends.
        let text = beginning(ofBytes: limit + 64)
        var end = text.startIndex
        var bytes = 0
        for (index, character) in zip(text.indices, text) {
            guard bytes + character.utf8.count <= limit else { break }
            bytes += character.utf8.count
            end = text.index(after: index)
        }
        return bytes > 0 ? String(text[..<end]) : beginning(ofBytes: limit)
    }

    /// The largest size of a file extension that `cut` keeps, in bytes with its dot.
    private static let extensionLimitBytes = 16

    /// Returns how many bytes of a Unicode scalar come before `offset`; 0 if a scalar starts there.
    /// `offset` must be less than the length.
    private func brokenBytes(before offset: Int) -> Int {
        var index = utf8.index(startIndex, offsetBy: offset)
        var count = 0
        while index > startIndex, utf8[index] & 0xc0 == 0x80 {
            index = utf8.index(before: index)
            count += 1
        }
        return count
    }
}
