/// The least number of inserted, deleted and replaced characters that turns one name into the other, as far as it is no
/// more than `bound`.
func editDistance(_ one: String, _ other: String, atMost bound: Int) -> Int? {
    let one = Array(one.utf8)
    let other = Array(other.utf8)
    guard abs(one.count - other.count) <= bound else { return nil }
    var above = Array(0...other.count)
    for (row, byte) in one.enumerated() {
        var current = [row + 1]
        for (column, target) in other.enumerated() {
            let replaced = above[column] + (byte == target ? 0 : 1)
            current.append(min(replaced, above[column + 1] + 1, current[column] + 1))
        }
        above = current
    }
    let distance = above[other.count]
    return distance <= bound ? distance : nil
}
