import Engine

/// A set of texts, numbered from 0 in the order of insertion.
struct NameTable: Sendable {
    /// For each hash, the number of the last inserted text with this hash. `before` contains, for each text, the number
    /// of the previous text with the same hash. The hash is seeded, so that a client cannot choose texts with equal
    /// hashes.
    private var byHash: [Int: Int] = [:]
    private var before: [Int] = []
    private var ends: [Int] = []
    private var bytes: [UInt8] = []

    var count: Int { ends.count }

    private static func hash(_ text: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        return hasher.finalize()
    }

    private func equals(_ number: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let start = number == 0 ? 0 : ends[number - 1]
        guard ends[number] - start == text.count else { return false }
        return bytes[start..<ends[number]].elementsEqual(text)
    }

    private func find(_ text: UnsafeRawBufferPointer, _ hash: Int) -> Int? {
        var number = byHash[hash] ?? -1
        while number >= 0 {
            if equals(number, text) { return number }
            number = before[number]
        }
        return nil
    }

    func number(of text: UnsafeRawBufferPointer) -> Int? { byHash.isEmpty ? nil : find(text, Self.hash(text)) }

    /// Inserts a text if it is new. Returns the text's index in the order of insertion, and whether the text is new.
    @discardableResult
    mutating func insert(_ text: UnsafeRawBufferPointer) -> (number: Int, isNew: Bool) {
        let hash = Self.hash(text)
        if let number = find(text, hash) { return (number, false) }
        before.append(byHash[hash] ?? -1)
        byHash[hash] = count
        bytes.append(contentsOf: text)
        ends.append(bytes.count)
        return (count - 1, true)
    }

    func text(_ number: Int) -> String {
        String(decoding: bytes[(number == 0 ? 0 : ends[number - 1])..<ends[number]], as: UTF8.self)
    }
}
