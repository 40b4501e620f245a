import Support
import Testing

@testable import Engine

@Suite struct TimerHeapTests {
    private final class Target: TimerTarget {
        let number: Int
        private(set) lazy var timer = Timer(self)

        init(_ number: Int) { self.number = number }

        func timerFired() {}
    }

    @Test("whatever is armed, moved and removed, just what is due comes out", arguments: 0..<30 as Range<UInt64>)
    func equalsModel(seed: UInt64) {
        var random = Seeded(seed)
        let targets = (0..<40).map { Target($0) }
        var heap = TimerHeap()
        var model: [Int: LoopTime] = [:]
        var now: LoopTime = 1_000_000
        for step in 0..<1_000 {
            let target = targets[random.below(targets.count)]
            switch random.below(8) {
            case 0, 1, 2, 3:
                let deadline = now + UInt64(random.below(50_000_000))
                heap.arm(target.timer, at: deadline)
                model[target.number] = deadline
            case 4:
                heap.disarm(target.timer)
                model[target.number] = nil
            case 5:
                heap.remove(target.timer)
                model[target.number] = nil
            default:
                now += UInt64(random.below(10_000_000))
                var due: [Int] = []
                while let taken = heap.removeDue(at: now) as? Target { due.append(taken.number) }
                #expect(due.sorted() == model.filter { $0.value <= now }.map(\.key).sorted(), "step \(step)")
                model = model.filter { $0.value > now }
            }
            if let next = model.values.min() {
                let wait = heap.wait(from: now)
                #expect(wait >= 0 && now + UInt64(wait) * 1_000_000 < next + 1_000_000, "step \(step): too long a wait")
            }
        }
        for target in targets { heap.remove(target.timer) }
        let wait = heap.wait(from: now)
        #expect(wait == -1, "nothing is left")
    }

    @Test(
        "the wait is rounded up to milliseconds",
        arguments: [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)]
    )
    func rounds(nanoseconds: UInt64, milliseconds: Int32) {
        let target = Target(0)
        var heap = TimerHeap()
        heap.arm(target.timer, at: 500 + nanoseconds)
        let wait = heap.wait(from: 500)
        #expect(wait == milliseconds)
        let isEarly = nanoseconds > 0 && heap.removeDue(at: 499 + nanoseconds) != nil
        let isDue = heap.removeDue(at: 500 + nanoseconds) != nil
        #expect(!isEarly && isDue)
    }

    @Test("a timer armed later again and again costs one wait at most")
    func lazily() {
        let target = Target(0)
        var heap = TimerHeap()
        for later in 1...1_000 { heap.arm(target.timer, at: LoopTime(nanoseconds: UInt64(later) * 1_000_000)) }
        let early = heap.removeDue(at: 999_999_999) != nil
        let wait = heap.wait(from: 999_000_000)
        let due = heap.removeDue(at: 1_000_000_000) != nil
        #expect(!early && due && wait == 1)
    }
}
