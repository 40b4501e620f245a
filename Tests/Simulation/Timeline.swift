/// Virtual time in microseconds, and the events that happen in it. Events that are due at the same time happen in the
/// order in which they were scheduled.
final class Timeline {
    private struct Event {
        let time: Int
        let number: Int
        let body: () -> Void

        func isBefore(_ other: Event) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    private(set) var now: Int
    private var heap: [Event] = []
    private var lastNumber = 0

    init(at time: Int) { now = time }

    func at(_ time: Int, _ body: @escaping () -> Void) {
        lastNumber += 1
        heap.append(Event(time: max(time, now), number: lastNumber, body: body))
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The end of the run: only events that are due before this time happen.
    var end = 0

    func run() {
        while let first = heap.first, first.time < end {
            takeFirst()
            now = first.time
            first.body()
        }
        now = max(now, end)
    }

    private func takeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}
