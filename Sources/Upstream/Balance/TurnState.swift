import Shared

/// The turn among the providers that serve one model to one caller.
struct TurnState {
    struct Member: Equatable {
        /// The provider's place among all that serve the model.
        let place: Int
        /// Above 0.
        let weight: Double
    }

    struct Turn {
        /// That has it.
        let place: Int
        /// 0: it was owed.
        fileprivate let number: Int
    }

    /// Of `sequence`: the provider that was used last, and how often in a row.
    private var current = 0
    private var used = 0
    /// The same before the last turn, and that turn's number.
    private var before = (current: 0, used: 0)
    private var number = 0
    /// The same: turns that were given back after others had been taken, by place. The next ones have them.
    private var owed: [(place: Int, turns: Int)] = []
    /// Of `smooth`, by place.
    private var credits: [Double] = []

    /// Takes a turn.
    ///
    /// - Parameter members: those that may have it, by place; at least one.
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

    /// A turn was not used.
    ///
    /// - Parameter members: those that it was taken among.
    mutating func giveBack(_ turn: Turn, of members: [Member], by order: BalanceSettings.Order) {
        if order != .sequence {
            // A reload may have begun this state anew since the turn was taken.
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

    /// Each is used as often in a row as its weight says.
    private mutating func nextInSequence(_ members: [Member]) -> Int {
        // Each stands at its place if all may have the turn.
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

    /// Makes room for the credit of a place.
    private mutating func reach(_ place: Int) {
        while credits.count <= place { credits.append(0) }
    }

    /// Each gains its weight in each turn, and who has most pays the sum.
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
