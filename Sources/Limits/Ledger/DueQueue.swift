/// A queue of the accounts of a lane, ordered by the time at which the lane must work on them next.
struct DueQueue {
    private var heap: [(time: Int, account: Account)] = []

    var soonest: Int? { heap.first?.time }

    mutating func put(_ account: Account, at time: Int) {
        account.due = time
        heap.append((time, account))
        var position = heap.count - 1
        while position > 0, heap[position].time < heap[(position - 1) / 2].time {
            heap.swapAt(position, (position - 1) / 2)
            position = (position - 1) / 2
        }
    }

    /// Removes and returns the first account that is due by `time`; nil if no account is due.
    mutating func next(by time: Int) -> Account? {
        while let first = heap.first, first.time <= time {
            removeFirst()
            guard first.account.due == first.time else { continue }
            first.account.due = nil
            return first.account
        }
        return nil
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var position = 0
        while true {
            var least = position
            for child in [2 * position + 1, 2 * position + 2]
            where child < heap.count && heap[child].time < heap[least].time {
                least = child
            }
            if least == position { return }
            heap.swapAt(position, least)
            position = least
        }
    }
}
