/// An object that a timer of its loop calls at a deadline.
package protocol TimerTarget: AnyObject {
    func timerFired()
}

/// A timer for one deadline of one target, on the target's loop.
package final class Timer: OnLoop, @unchecked Sendable {
    fileprivate unowned let target: any TimerTarget
    fileprivate var deadline = LoopTime.distantFuture
    /// The deadline by which the heap orders the timer; never later than `deadline`.
    fileprivate var heapDeadline = LoopTime.distantFuture
    fileprivate var index = -1

    package init(_ target: any TimerTarget) { self.target = target }
}

/// A heap of the timers of one loop, with the earliest deadline at the front.
struct TimerHeap {
    private var timers: [Timer] = []

    mutating func arm(_ timer: Timer, at deadline: LoopTime) {
        timer.deadline = deadline
        if timer.index < 0 {
            timer.heapDeadline = deadline
            timer.index = timers.count
            timers.append(timer)
            rise(timer.index)
        } else if deadline < timer.heapDeadline {
            timer.heapDeadline = deadline
            rise(timer.index)
        }
    }

    func disarm(_ timer: Timer) { timer.deadline = .distantFuture }

    /// Removes the timer from the heap. Call it before the timer's target is freed.
    mutating func remove(_ timer: Timer) {
        timer.deadline = .distantFuture
        guard timer.index >= 0 else { return }
        let index = timer.index
        timer.index = -1
        let last = timers.removeLast()
        guard index < timers.count else { return }
        timers[index] = last
        last.index = index
        rise(index)
        sink(last.index)
    }

    /// Returns how long epoll can wait, in milliseconds rounded up; -1 if there is no timer.
    func wait(from now: LoopTime) -> Int32 {
        guard let first = timers.first else { return -1 }
        guard first.heapDeadline > now else { return 0 }
        let nanoseconds = first.heapDeadline.nanoseconds(since: now)
        return Int32(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
    }

    /// Removes the next timer whose deadline has passed, and returns the timer's target; nil if there is none. Call
    /// `timerFired` of the target afterwards.
    mutating func removeDue(at now: LoopTime) -> (any TimerTarget)? {
        while let first = timers.first, first.heapDeadline <= now {
            if first.deadline == .distantFuture {
                remove(first)
            } else if first.deadline > now {
                first.heapDeadline = first.deadline
                sink(0)
            } else {
                remove(first)
                return first.target
            }
        }
        return nil
    }

    private mutating func rise(_ from: Int) {
        var child = from
        while child > 0, timers[(child - 1) / 2].heapDeadline > timers[child].heapDeadline {
            exchange(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func sink(_ from: Int) {
        var parent = from
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < timers.count && timers[child].heapDeadline < timers[least].heapDeadline {
                least = child
            }
            if least == parent { return }
            exchange(parent, least)
            parent = least
        }
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        timers.swapAt(one, other)
        timers[one].index = one
        timers[other].index = other
    }
}
