import Shared

/// The turn among the providers that serve one model to one caller.
struct TurnState {
    struct Member: Equatable {
        /// The provider's place among all that serve the model.
        let place: Int
        /// Above 0.
        let weight: Double
    }

    /// Of `sequence`: the provider that was used last, and how often in a row.
    private var current = 0
    private var used = 0
    /// Of `smooth`, by place.
    private var credits: [Double] = []

    /// Takes a turn.
    ///
    /// - Parameter members: those that may have it, by place; at least one.
    mutating func next(of members: [Member], by order: BalanceSettings.Order) -> Int {
        switch order {
        case .sequence: nextInSequence(members)
        case .smooth, .leastLoad: nextSmoothly(members)
        }
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

    /// Each gains its weight in each turn, and who has most pays the sum.
    private mutating func nextSmoothly(_ members: [Member]) -> Int {
        var best = members[0].place
        var sum = 0.0
        for member in members {
            sum += member.weight
            let place = member.place
            if place >= credits.count {
                credits.append(contentsOf: repeatElement(0, count: place + 1 - credits.count))
            }
            credits[place] += member.weight
            if credits[place] > credits[best] { best = place }
        }
        credits[best] -= sum
        return best
    }
}
