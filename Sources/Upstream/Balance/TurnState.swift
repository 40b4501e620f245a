import Shared

/// The turns among the providers that serve one model, for one caller or for all.
struct TurnState {
    struct Member: Equatable {
        /// The provider's position among the candidates of the model.
        let place: Int
        /// The weight, above 0.
        let weight: Double
    }

    struct Turn {
        /// The position of the provider that has the turn.
        let place: Int
        /// The number of the turn; 0 for a turn that had been given back.
        fileprivate let number: Int
    }

    /// The position of the provider that was used last, and how often in a row. For `sequence`.
    private var current = 0
    private var used = 0
    /// The values of `current` and `used` before the last turn, which has the number `number`.
    private var before = (current: 0, used: 0)
    private var number = 0
    /// The turns that were given back after others had been taken, by position. They are used first. For `sequence`.
    private var owed: [(place: Int, turns: Int)] = []
    /// The credit of each provider, by position. For `smooth` and `least-load`.
    private var credits: [Double] = []

    /// Takes the next turn.
    ///
    /// - Parameter members: the providers that may have the turn, by position; at least one.
    mutating func next(of members: [Member], by order: BalanceSettings.Order) -> Turn {
        if !owed.isEmpty, let place = nextOwed(members) { return Turn(place: place, number: 0) }
        number += 1
        switch order {
        case .sequence:
            before = (current, used)
            return Turn(place: nextInSequence(members), number: number)
        case .smooth, .leastLoad: return Turn(place: nextSmoothly(members), number: number)
        }
    }

    /// Gives back a turn that was not used.
    ///
    /// - Parameter members: the providers among which the turn was taken.
    mutating func giveBack(_ turn: Turn, of members: [Member], by order: BalanceSettings.Order) {
        if order != .sequence {
            // A reload may have reset this state since the turn was taken.
            for place in members.map(\.place) + [turn.place] { reach(place) }
            for member in members {
                credits[member.place] -= member.weight
                credits[turn.place] += member.weight
            }
        } else if turn.number == number {
            (current, used) = before
            number += 1
        } else if let index = owed.firstIndex(where: { $0.place == turn.place }) {
            owed[index].turns += 1
        } else {
            owed.append((turn.place, 1))
        }
    }

    private mutating func nextOwed(_ members: [Member]) -> Int? {
        guard let index = owed.firstIndex(where: { one in members.contains { $0.place == one.place } }) else {
            return nil
        }
        let place = owed[index].place
        owed[index].turns -= 1
        if owed[index].turns == 0 { owed.remove(at: index) }
        return place
    }

    /// Takes the next turn of `sequence`: each provider is used as often in a row as its weight says.
    private mutating func nextInSequence(_ members: [Member]) -> Int {
        // If no provider is left out, each member's index is its position.
        let isInPlace = current < members.count && members[current].place == current
        var index = isInPlace ? current : members.firstIndex { $0.place >= current } ?? 0
        if members[index].place != current { used = 0 }
        if used >= max(1, Int(members[index].weight)) {
            index = (index + 1) % members.count
            used = 0
        }
        current = members[index].place
        used += 1
        return current
    }

    /// Makes room for the credit of a position.
    private mutating func reach(_ place: Int) {
        while credits.count <= place { credits.append(0) }
    }

    /// Takes the next turn of `smooth`: each provider gains its weight, and the one with the most credit pays the sum.
    private mutating func nextSmoothly(_ members: [Member]) -> Int {
        var best = members[0].place
        var sum = 0.0
        for member in members {
            sum += member.weight
            let place = member.place
            reach(place)
            credits[place] += member.weight
            if credits[place] > credits[best] { best = place }
        }
        credits[best] -= sum
        return best
    }
}
