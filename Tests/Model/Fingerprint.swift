/// A 128-bit hash that two different states hardly ever share.
struct Fingerprint: Hashable {
    let high: UInt64
    let low: UInt64

    func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// The description of a state as a list of words. Numbers that only distinguish things (births, versions, connections, marks of writes)
/// are marked, because their values do not matter: of versions that are compared with each other, only the order does.
struct Words {
    enum Mark: UInt64 {
        case birth
        case connection
        case mark
        case order
        case version
    }

    private(set) var words: [UInt64] = []
    private var marks: [(index: Int, mark: Mark)] = []

    mutating func put(_ number: Int) { words.append(UInt64(bitPattern: Int64(number))) }
    mutating func put(_ word: UInt64) { words.append(word) }

    mutating func put(_ word: UInt64, _ mark: Mark) {
        marks.append((words.count, mark))
        words.append(word)
    }

    /// The versions of which only the order matters.
    fileprivate var orders: [UInt64] { marks.filter { $0.mark == .order }.map { words[$0.index] } }

    mutating func put(_ text: StaticString) {
        var hash: UInt64 = 14_695_981_039_346_656_037
        text.withUTF8Buffer { for byte in $0 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 } }
        words.append(hash)
    }

    mutating func put(_ text: String) {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        words.append(hash)
    }

    /// Returns the hash of a state. A birth, connection or mark is replaced by the order of its first occurrence, a version
    /// by whether it is current.
    static func fingerprint(_ all: [Words], current: Set<UInt64>) -> Fingerprint {
        var (high, low): (UInt64, UInt64) = (0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
        var names: [UInt64: UInt64] = [:]
        let orders = Set(all.flatMap(\.orders)).sorted()
        for words in all {
            var mark = 0
            for (index, word) in words.words.enumerated() {
                var word = word
                if mark < words.marks.count, words.marks[mark].index == index {
                    switch words.marks[mark].mark {
                    case .order: word = UInt64(orders.firstIndex(of: word) ?? 0)
                    case .version: word = current.contains(word) ? 1 : 0
                    case .birth, .connection, .mark:
                        let name = names[word] ?? UInt64(names.count) + 1
                        names[word] = name
                        word = name
                    }
                    mark += 1
                }
                high = (high ^ word) &* 0xff51_afd7_ed55_8ccd
                high ^= high >> 32
                low = (low &+ word) &* 0xc4ce_b9fe_1a85_ec53
                low ^= low >> 29
            }
            high = high &* 31 &+ 7
            low = low &* 37 &+ 11
        }
        return Fingerprint(high: high, low: low)
    }
}
