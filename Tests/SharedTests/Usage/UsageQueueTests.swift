import Engine
import Testing

@testable import Shared
@testable import UsageRecords

@Suite struct UsageQueueTests {
    @Test("records that wait go to the present store, and later ones to the next, while the thread is busy")
    func change() {
        let (old, new) = (SlowStore(), SlowStore())
        new.proceed.wake()
        let queue = UsageQueue("file", old, gatheringMilliseconds: 0, log: noLog)
        queue.append(FinishedRequest(request(1, at: 1)))
        old.began.wait()
        queue.append(FinishedRequest(request(2, at: 2), calls: [call(2, at: 2)]))
        queue.use(new)
        queue.append(FinishedRequest(request(3, at: 3)))
        #expect(queue.waitingRecords == 4)
        old.proceed.wake()
        queue.stop()
        #expect(old.times == [1, 2, 2] && new.times == [3] && queue.waitingRecords == 0)
    }
}

/// A store that writes when it is allowed to.
private final class SlowStore: UsageStore {
    let began = Signal()
    let proceed = Signal()
    private let written = Lock<[Int]>([])
    private let mayWrite = Lock(false)

    var times: [Int] { written.withLock(\.self) }

    func write(_ requests: ArraySlice<FinishedRequest>) -> Int {
        began.wake()
        if !mayWrite.withLock(\.self) { proceed.wait() }
        mayWrite.withLock { $0 = true }
        written.withLock { $0 += requests.flatMap(\.records).map(\.timeMilliseconds) }
        return requests.count
    }

    func reopen() {}
}
