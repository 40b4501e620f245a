/// Returns how many bytes must be inserted, removed or replaced to turn one name into the other; nil if more than
/// `bound`.
func editDistance(_ one: String, _ other: String, atMost bound: Int) -> Int? {
    editDistance(Array(one.utf8), Array(other.utf8), atMost: bound)
}

/// Returns how many bytes must be inserted, removed or replaced to turn one text into the other; nil if more than
/// `bound`.
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
            // A cell of the row above is valid only within that row's band.
            let deleted = column + 1 <= row + bound ? above[column + 1] + 1 : far
            current[column + 1] = min(replaced, inserted, deleted, far)
            least = min(least, current[column + 1])
        }
        guard least <= bound else { return nil }
        swap(&above, &current)
    }
    return above[other.count] <= bound ? above[other.count] : nil
}

/// Returns the model name that a misspelt name probably means; nil if no name is similar.
package func nearestModel(to name: String, among names: [String]) -> String? {
    guard name.utf8.count <= 200 else { return nil }
    let small = name.lowercased()
    if let same = names.first(where: { $0.lowercased() == small && $0 != name }) { return same }
    if let slash = name.lastIndex(of: "/"), case let last = String(name[name.index(after: slash)...]),
        names.contains(last)
    {
        return last
    }
    // In a name of at most three letters, two wrong letters are most of it.
    guard name.utf8.count > 3 else { return nil }
    return nearest(to: name, among: names.filter { $0 != name })
}

/// Returns a pattern that is similar to a mistyped one and matches an existing model; nil if there is none.
func nearestPattern(to pattern: ModelPattern, among names: [String]) -> String? {
    switch pattern {
    case .all: return nil
    case .exactly(let name): return nearestModel(to: name, among: names)
    case .beginning(let prefix):
        let bytes = prefix.utf8.count
        let beginnings = names.filter { $0.utf8.count >= bytes }
            .compactMap { String(validating: $0.utf8.prefix(bytes), as: UTF8.self) }
        // In a short prefix, one wrong letter is too much.
        guard bytes > 2 else { return nil }
        let bound = bytes < 6 ? 1 : 2
        return nearestModel(to: prefix, among: beginnings).flatMap { near in
            editDistance(prefix.lowercased(), near.lowercased(), atMost: bound).map { _ in near + "*" }
        }
    }
}
