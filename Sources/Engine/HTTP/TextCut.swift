extension String {
    /// Returns the beginning of the text, with at most `limit` bytes of UTF-8 and whole scalars.
    package func beginning(ofBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        return String(decoding: utf8.prefix(limit - brokenBytes(before: limit)), as: UTF8.self)
    }

    /// Shortens the text to at most `limit` bytes of UTF-8 and whole characters. It removes the end but keeps a short
    /// file extension.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let tail = utf8.suffix(Self.extensionLimitBytes)
        let ending = tail.lastIndex(of: UInt8(ascii: ".")).map { tail[$0...].count } ?? 0
        StepCount.add(Self.extensionLimitBytes + limit)
        guard ending < limit else { return wholeCharacters(ofBytes: limit) }
        return wholeCharacters(ofBytes: limit - ending) + String(decoding: utf8.suffix(ending), as: UTF8.self)
    }

    /// Returns the beginning of the text with whole characters. A character that is longer than `limit`, such as one
    /// with thousands of marks, is cut between scalars.
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

    /// The longest file extension that is kept, with its dot, in bytes.
    private static let extensionLimitBytes = 16

    /// Returns the number of bytes before `position` that belong to a scalar that continues there. `position` must not
    /// be the end.
    private func brokenBytes(before position: Int) -> Int {
        var index = utf8.index(startIndex, offsetBy: position)
        var count = 0
        while index > startIndex, utf8[index] & 0xc0 == 0x80 {
            index = utf8.index(before: index)
            count += 1
        }
        return count
    }
}
