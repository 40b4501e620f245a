/// A generator that gives the same numbers on each run (SplitMix64).
package struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    package mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    package mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }
}

/// Returns `bytes` cut into pieces of 1 to `most` bytes.
package func pieces(of bytes: [UInt8], most: Int, _ random: inout Seeded) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + 1 + random.below(most))
        pieces.append(Array(bytes[start..<end]))
        start = end
    }
    return pieces
}

/// Returns `bytes` whole, byte by byte, and cut in two at each offset.
package func cuttings(of bytes: [UInt8]) -> [[[UInt8]]] {
    var cuttings = [[bytes], bytes.map { [$0] }]
    for cut in 1..<max(1, bytes.count) { cuttings.append([Array(bytes[..<cut]), Array(bytes[cut...])]) }
    return cuttings
}
