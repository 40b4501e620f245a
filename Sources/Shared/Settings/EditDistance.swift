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
