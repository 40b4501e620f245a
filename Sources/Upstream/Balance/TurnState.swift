import Shared

/// The turns of the providers that serve one model with the same priority.
struct TurnState {
    struct Member: Equatable {
        /// The provider's index among the candidates of the model.
        let candidateIndex: Int
        /// The provider's weight, above 0.
        let weight: Double
    }

    struct Turn {
        let candidateIndex: Int
        /// The sequence number of the turn; 0 for an extra turn, given because an earlier turn was undone.
        fileprivate let number: Int
    }

    /// The index of the provider that had the last turn. Used only by the load-balancing order `sequence`.
    private var current = 0
    /// The number of turns in a row that the provider at `current` had.
    private var used = 0
    /// The values of `current` and `used` before the last turn, for undoing that turn. Only the load-balancing order
    /// `sequence` sets them.
    private var before = (current: 0, used: 0)
    private var number = 0
    /// The number of extra turns for each provider whose earlier turn was undone. Only the load-balancing order
    /// `sequence` adds them.
    private var owed: [(candidateIndex: Int, turns: Int)] = []
    /// The scores of the providers, by index. The provider with the highest score has the next turn.
    private var credits: [Double] = []

    /// Chooses the provider that has the next turn.
    /// - Parameter members: the providers to choose from, sorted by index; at least one.
    mutating func next(of members: [Member], by order: BalanceSettings.Order) -> Turn {
        if !owed.isEmpty, let candidateIndex = nextOwed(members) {
            return Turn(candidateIndex: candidateIndex, number: 0)
        }
        number += 1
        switch order {
        case .sequence:
            before = (current, used)
            return Turn(candidateIndex: nextInSequence(members), number: number)
        case .smooth, .leastLoad: return Turn(candidateIndex: nextSmoothly(members), number: number)
        }
    }

    /// Undoes a turn because the chosen provider was not called.
    mutating func giveBack(_ turn: Turn, of members: [Member], by order: BalanceSettings.Order) {
        if order != .sequence {
            // A reload may have reset this state since the turn was taken.
            for candidateIndex in members.map(\.candidateIndex) + [turn.candidateIndex] { reach(candidateIndex) }
            for member in members {
                credits[member.candidateIndex] -= member.weight
                credits[turn.candidateIndex] += member.weight
            }
        } else if turn.number == number {
            (current, used) = before
            number += 1
        } else if let index = owed.firstIndex(where: { $0.candidateIndex == turn.candidateIndex }) {
            owed[index].turns += 1
        } else {
            owed.append((turn.candidateIndex, 1))
        }
    }

    private mutating func nextOwed(_ members: [Member]) -> Int? {
        guard
            let index = owed.firstIndex(where: { one in members.contains { $0.candidateIndex == one.candidateIndex } })
        else {
            return nil
        }
        let candidateIndex = owed[index].candidateIndex
        owed[index].turns -= 1
        if owed[index].turns == 0 { owed.remove(at: index) }
        return candidateIndex
    }

    /// Takes the next turn by the load-balancing order `sequence`, and returns the index of the provider that has
    /// the turn.
    private mutating func nextInSequence(_ members: [Member]) -> Int {
        // If no provider is left out, each member's index in `members` is its `candidateIndex`.
        let isInPlace = current < members.count && members[current].candidateIndex == current
        var index = isInPlace ? current : members.firstIndex { $0.candidateIndex >= current } ?? 0
        if members[index].candidateIndex != current { used = 0 }
        if used >= max(1, Int(members[index].weight)) {
            index = (index + 1) % members.count
            used = 0
        }
        current = members[index].candidateIndex
        used += 1
        return current
    }

    /// Extends `credits` with scores of 0, so that it contains a score for the provider at this index.
    private mutating func reach(_ candidateIndex: Int) {
        while credits.count <= candidateIndex { credits.append(0) }
    }

    /// Takes the next turn according to the providers' weights and returns the provider's index.
    private mutating func nextSmoothly(_ members: [Member]) -> Int {
        var best = members[0].candidateIndex
        var sum = 0.0
        for member in members {
            sum += member.weight
            let candidateIndex = member.candidateIndex
            reach(candidateIndex)
            credits[candidateIndex] += member.weight
            if credits[candidateIndex] > credits[best] { best = candidateIndex }
        }
        credits[best] -= sum
        return best
    }
}
