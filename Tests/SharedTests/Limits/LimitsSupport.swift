import Shared

/// SplitMix64: the same numbers for the same seed.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &self) }
}

/// The most units in any interval as long as the window (half open), wherever it begins. `admitted` is in order.
func mostInAnyWindow(_ admitted: [(time: Int, units: Int)], _ window: Int) -> Int {
    var first = 0
    var sum = 0
    var most = 0
    for last in admitted.indices {
        sum += admitted[last].units
        while admitted[last].time - admitted[first].time >= window {
            sum -= admitted[first].units
            first += 1
        }
        most = max(most, sum)
    }
    return most
}

let epoch = 1_800_000_000_000_000

extension Record {
    /// With counts in random buckets.
    init(random dice: inout Dice, _ grid: Grid, near time: Int, most: Int = 1_000) {
        self.init(grid, at: time, birth: dice.next())
        for _ in 0..<dice.below(2 * grid.kept) {
            roll(to: time + dice.below(grid.windowMicroseconds))
            charge(dice.below(most))
        }
        if dice.below(3) == 0 { addLease(1 + dice.below(most), until: grid.start(of: newest) + dice.below(1_000_000)) }
    }
}
