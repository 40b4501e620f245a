import Shared

/// The turns among the providers that serve one model, for one caller or for all.
struct TurnState {
    struct Member: Equatable {
        /// The provider's position among the candidates of the model.
        let position: Int
        /// The weight, above 0.
        let weight: Double
    }

    struct Turn {
        /// The position of the provider that has the turn.
        let position: Int
        /// The number of the turn; 0 for a turn that had been given back.
        fileprivate let number: Int
    }

    /// The position of the provider that was used last, and how often in a row. For `sequence`.
    private var current = 0
    private var used = 0
    /// The values of `current` and `used` before the last turn, which has the number `number`.
    private var before = (current: 0, used: 0)
    private var number = 0
    /// The turns that were given back after later turns had been taken, by position. They are used first. Used only for
    /// `sequence`.
    private var owed: [(position: Int, turns: Int)] = []
    /// The credit of each provider, by position. For `smooth` and `least-load`.
    private var credits: [Double] = []

    /// Takes the next turn.
    ///
    /// - Parameter members: the providers that may have the turn, by position; at least one.
    mutating func next(of members: [Member], by order: BalanceSettings.Order) -> Turn {
        if !owed.isEmpty, let position = nextOwed(members) { return Turn(position: position, number: 0) }
        number += 1
        switch order {
        case .sequence:
            before = (current, used)
            return Turn(position: nextInSequence(members), number: number)
        case .smooth, .leastLoad: return Turn(position: nextSmoothly(members), number: number)
        }
    }

    /// Gives back a turn that was not used.
    ///
    /// - Parameter members: the providers among which the turn was taken.
    mutating func giveBack(_ turn: Turn, of members: [Member], by order: BalanceSettings.Order) {
        if order != .sequence {
            // A reload may have reset this state since the turn was taken.
            for position in members.map(\.position) + [turn.position] { reach(position) }
            for member in members {
                credits[member.position] -= member.weight
                credits[turn.position] += member.weight
            }
        } else if turn.number == number {
            (current, used) = before
            number += 1
        } else if let index = owed.firstIndex(where: { $0.position == turn.position }) {
            owed[index].turns += 1
        } else {
            owed.append((turn.position, 1))
        }
    }

    private mutating func nextOwed(_ members: [Member]) -> Int? {
        guard let index = owed.firstIndex(where: { one in members.contains { $0.position == one.position } }) else {
            return nil
        }
        let position = owed[index].position
        owed[index].turns -= 1
        if owed[index].turns == 0 { owed.remove(at: index) }
        return position
    }

    /// Takes the next turn of `sequence`: each provider is used as often in a row as its weight says.
    private mutating func nextInSequence(_ members: [Member]) -> Int {
        // If no provider is left out, each member's index is its position.
        let isInPlace = current < members.count && members[current].position == current
        var index = isInPlace ? current : members.firstIndex { $0.position >= current } ?? 0
        if members[index].position != current { used = 0 }
        if used >= max(1, Int(members[index].weight)) {
            index = (index + 1) % members.count
            used = 0
        }
        current = members[index].position
        used += 1
        return current
    }

    /// Makes room for the credit of a position.
    private mutating func reach(_ position: Int) {
        while credits.count <= position { credits.append(0) }
    }

    /// Takes the next turn of `smooth`: each provider gains its weight, and the one with the most credit pays the sum.
    private mutating func nextSmoothly(_ members: [Member]) -> Int {
        var best = members[0].position
        var sum = 0.0
        for member in members {
            sum += member.weight
            let position = member.position
            reach(position)
            credits[position] += member.weight
            if credits[position] > credits[best] { best = position }
        }
        credits[best] -= sum
        return best
    }
}
