/// The least number of inserted, deleted and replaced bytes that turns one name into the other, as far as it is no more
/// than `bound`.
func editDistance(_ one: String, _ other: String, atMost bound: Int) -> Int? {
    editDistance(Array(one.utf8), Array(other.utf8), atMost: bound)
}

/// Of the table of distances only what is no further than `bound` from its diagonal is worked out, and no row after one
/// in which all is further: at most `2 * bound + 1` steps for each byte.
func editDistance(_ one: [UInt8], _ other: [UInt8], atMost bound: Int) -> Int? {
    guard bound >= 0, abs(one.count - other.count) <= bound else { return nil }
    let far = bound + 1
    var above = (0...other.count).map { min($0, far) }
    var current = above
    for (row, byte) in one.enumerated() {
        let from = max(0, row - bound)
        let to = min(other.count, row + bound + 1)
        current[from] = from == 0 ? min(row + 1, far) : far
        var least = current[from]
        for column in from..<max(from, to) {
            let replaced = above[column] + (byte == other[column] ? 0 : 1)
            let inserted = current[column] + 1
            // Of the row above this place is known only within its own band.
            let deleted = column + 1 <= row + bound ? above[column + 1] + 1 : far
            current[column + 1] = min(replaced, inserted, deleted, far)
            least = min(least, current[column + 1])
        }
        guard least <= bound else { return nil }
        swap(&above, &current)
    }
    return above[other.count] <= bound ? above[other.count] : nil
}

/// Returns the model that a misspelt name probably means; nil if no name is near.
///
/// Names that differ in case alone are near, as is the name behind a vendor's prefix: `gpt-4o` of `openai/gpt-4o`.
func nearestModel(to name: String, among names: [String]) -> String? {
    guard name.utf8.count <= 200 else { return nil }
    let small = name.lowercased()
    if let same = names.first(where: { $0.lowercased() == small && $0 != name }) { return same }
    if let slash = name.lastIndex(of: "/"), case let last = String(name[name.index(after: slash)...]),
        names.contains(last)
    {
        return last
    }
    // Two letters of a name of three or fewer are all of it.
    guard name.utf8.count > 3 else { return nil }
    return nearest(to: name, among: names.filter { $0 != name })
}

/// Returns the pattern that a misspelt one probably means; nil if no name is near.
func nearestPattern(to pattern: ModelPattern, among names: [String]) -> String? {
    switch pattern {
    case .all: return nil
    case .exactly(let name): return nearestModel(to: name, among: names)
    case .beginning(let prefix):
        let bytes = prefix.utf8.count
        let beginnings = names.filter { $0.utf8.count >= bytes }
            .compactMap { String(validating: $0.utf8.prefix(bytes), as: UTF8.self) }
        // Of a short beginning one letter is a lot.
        guard bytes > 2 else { return nil }
        let bound = bytes < 6 ? 1 : 2
        return nearestModel(to: prefix, among: beginnings).flatMap { near in
            editDistance(prefix.lowercased(), near.lowercased(), atMost: bound).map { _ in near + "*" }
        }
    }
}
