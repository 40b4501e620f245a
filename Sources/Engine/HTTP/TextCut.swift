extension String {
    /// The beginning, cut to a number of bytes of UTF-8, whole scalars.
    package func beginning(ofBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        return String(decoding: utf8.prefix(limit - brokenBytes(before: limit)), as: UTF8.self)
    }

    /// The text cut to a number of bytes of UTF-8, whole characters; the end goes, but not a short extension.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let tail = utf8.suffix(Self.extensionLimitBytes)
        let ending = tail.lastIndex(of: UInt8(ascii: ".")).map { tail[$0...].count } ?? 0
        StepCount.add(Self.extensionLimitBytes + limit)
        guard ending < limit else { return wholeCharacters(ofBytes: limit) }
        return wholeCharacters(ofBytes: limit - ending) + String(decoding: utf8.suffix(ending), as: UTF8.self)
    }

    /// A character that is longer than that, as one with thousands of marks is, is cut between scalars.
    private func wholeCharacters(ofBytes limit: Int) -> String {
        // No more is looked at than tells where the last one ends.
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

    /// With the dot.
    private static let extensionLimitBytes = 16

    /// The number of bytes before `place`, which is not the end, that belong to a scalar that goes on there.
    private func brokenBytes(before place: Int) -> Int {
        var index = utf8.index(startIndex, offsetBy: place)
        var count = 0
        while index > startIndex, utf8[index] & 0xc0 == 0x80 {
            index = utf8.index(before: index)
            count += 1
        }
        return count
    }
}
