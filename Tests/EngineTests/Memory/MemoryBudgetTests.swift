import Support
import Testing

@testable import Engine

@Suite struct MemoryBudgetTests {
    private let megabyte = 1_048_576
    private let one = MemoryHolder.Key((1, 1))
    private let other = MemoryHolder.Key((2, 2))

    private func hold(_ budget: MemoryBudget, _ key: MemoryHolder.Key) -> MemoryReservation {
        MemoryReservation(budget.holder(key), budget)
    }

    @Test("large requests leave a quarter to small ones, whoever makes them")
    func quarterForSmall() {
        let budget = MemoryBudget(bytes: 16 * megabyte, setAside: 2 * megabyte)
        let holds = (0..<20).map { hold(budget, MemoryHolder.Key(($0, 7))) }
        for reservation in holds { while reservation.reserve(megabyte) == nil {} }
        #expect(budget.largeUsedBytes == 10 * megabyte && budget.usedBytes == 12 * megabyte)
        let memoryPool = LoopMemoryPool(budget, EventLoop())
        let share = memoryPool.share(of: other)
        var taken = 0
        while share.reserve(16_384) == nil { taken += 16_384 }
        #expect(taken == 4 * megabyte, "all of the quarter, and no more")
        #expect(share.reserve(1) != nil)
    }

    @Test("one holder has a quarter at most, large and small together, on all loops")
    func quarterOfHolder() {
        let budget = MemoryBudget(bytes: 16 * megabyte)
        let large = hold(budget, one)
        #expect(large.reserve(3 * megabyte) == nil)
        #expect(large.reserve(2 * megabyte) === large.holder?.queue, "what is short is the holder's own")
        let shares = [EventLoop(), EventLoop()].map { LoopMemoryPool(budget, $0).share(of: one) }
        var taken = 0
        for share in shares { while share.reserve(4_096) == nil { taken += 4_096 } }
        #expect(taken == megabyte)
        #expect(hold(budget, other).reserve(4 * megabyte) == nil, "another is not concerned")
    }

    @Test("a holder's large requests leave a quarter of its part to its small ones")
    func smallBesideLarge() {
        let budget = MemoryBudget(bytes: 16 * megabyte)
        let large = hold(budget, one)
        #expect(large.reserve(4 * megabyte) == nil)
        let share = LoopMemoryPool(budget, EventLoop()).share(of: one)
        var taken = 0
        while share.reserve(4_096) == nil { taken += 4_096 }
        #expect(taken == megabyte)
        #expect(large.reserve(1) === large.holder?.queue)
    }

    @Test("what is given back, or dropped, is there again, and a holder without requests is forgotten")
    func givenBack() {
        let budget = MemoryBudget(bytes: 16 * megabyte)
        let holder = budget.holder(one)
        var holds = [MemoryReservation(holder, budget)]
        #expect(holds[0].reserve(2 * megabyte) == nil)
        holds[0].give(megabyte)
        #expect(budget.largeUsedBytes == megabyte && holder.usedBytes == megabyte)
        holds[0].give(5 * megabyte)
        #expect(budget.largeUsedBytes == 0, "never more than is held")
        #expect(holds[0].reserve(megabyte) == nil)
        holds = []
        #expect(budget.usedBytes == 0 && holder.usedBytes == 0)
        #expect(budget.holderCount == 1)
        budget.leave(holder)
        #expect(budget.holderCount == 0)
    }

    @Test("small amounts are taken ahead: requests that come and go leave the budget alone")
    func ahead() {
        let budget = MemoryBudget(bytes: 64 * megabyte)
        let memoryPool = LoopMemoryPool(budget, EventLoop())
        let share = memoryPool.share(of: one)
        #expect(share.reserve(16_384) == nil)
        let (used, held) = (budget.usedBytes, share.holder.usedBytes)
        for _ in 0..<1_000 {
            #expect(share.reserve(16_384) == nil)
            share.give(16_384)
        }
        #expect(budget.usedBytes == used && share.holder.usedBytes == held)
        for _ in 0..<1_000 { _ = share.reserve(16_384) }
        for _ in 0..<1_000 { share.give(16_384) }
        #expect(budget.usedBytes <= 3 * budget.chunkBytes, "a rush is given back")
        #expect(share.holder.usedBytes <= 3 * budget.shareChunkBytes)
    }

    @Test("of many holders only some that rest are kept")
    func sweeps() {
        let budget = MemoryBudget(bytes: 1024 * megabyte)
        let memoryPool = LoopMemoryPool(budget, EventLoop())
        let kept = memoryPool.share(of: one)
        for number in 0..<10_000 {
            let share = memoryPool.share(of: MemoryHolder.Key((UInt64(number), 3)))
            #expect(share.reserve(100) == nil)
            share.give(100)
            memoryPool.leave(share)
        }
        #expect(budget.holderCount <= 1_100)
        #expect(memoryPool.share(of: one) === kept, "who has requests is not forgotten")
    }

    @Test("addresses of one /64 are one holder, those of version 4 each one")
    func keys() throws {
        func key(_ text: String) throws -> MemoryHolder.Key { .init(try #require(PeerAddress(text: text))) }
        #expect(try key("2001:db8::1") == key("2001:db8::ffff:2"))
        #expect(try key("2001:db8::1") != key("2001:db8:0:1::1"))
        #expect(try key("192.0.2.1") != key("192.0.2.2"))
    }

    @Test("the slowest body of all loops ends, once each has named its own")
    func slowest() {
        let queue = MemoryQueue()
        let (first, second) = (EventLoop(), EventLoop())
        let (a, b) = (ObjectIdentifier(first), ObjectIdentifier(second))
        #expect(!queue.isSlowest(500, of: a, at: .seconds(10)), "the other has had no say")
        #expect(!queue.isSlowest(400, of: b, at: .seconds(10) + 1), "it is slower")
        #expect(!queue.isSlowest(500, of: a, at: .seconds(11)))
        #expect(queue.isSlowest(400, of: b, at: .seconds(11) + 1))
        #expect(!queue.isSlowest(500, of: a, at: .seconds(12)), "that of the other may be gone now")
        #expect(!queue.isSlowest(500, of: a, at: .seconds(13)), "it was the slowest just now")
        #expect(queue.isSlowest(500, of: a, at: .seconds(14)))
    }

    @Test("those in line come in the order in which they joined")
    func line() {
        let queue = MemoryQueue()
        #expect(queue.isNext(nil))
        let (first, second, third) = (queue.join(), queue.join(), queue.join())
        #expect(queue.isNext(first) && !queue.isNext(second) && !queue.isNext(nil))
        queue.leave(second)
        queue.leave(first)
        #expect(queue.isNext(third))
        queue.leave(third)
        #expect(queue.isNext(nil))
    }

    @Test("a body is known to be slow after two seconds without a byte")
    func silence() {
        var pace = SlowBodyRate()
        pace.count(100)
        for recent in [nil, nil, 100] {
            pace.secondIsOver(isRead: true)
            #expect(pace.recent == recent)
        }
        pace.count(1)
        pace.secondIsOver(isRead: true)
        #expect(pace.recent == nil)
    }

    @Test("what came in five seconds is known after five in which the body was read")
    func pace() {
        var pace = SlowBodyRate()
        for _ in 0..<4 {
            pace.count(100)
            pace.secondIsOver(isRead: true)
            #expect(pace.recent == nil)
        }
        pace.count(100)
        pace.secondIsOver(isRead: true)
        #expect(pace.recent == 500)
        pace.secondIsOver(isRead: true)
        #expect(pace.recent == 400)
        pace.secondIsOver(isRead: false)
        #expect(pace.recent == nil, "it could not come")
    }
}

@Suite struct UsableMemoryTests {
    private func usable(_ files: [String: String]) -> Int { usableMemory { files[$0] } }

    @Test("the least of the machine's memory and the limits of the control groups, of both versions")
    func least() {
        let machine = usable([:])
        #expect(machine > 1_048_576)
        #expect(usable(["/sys/fs/cgroup/memory.max": "1048576\n"]) == 1_048_576, "in a container")
        #expect(usable(["/sys/fs/cgroup/memory.max": "max\n"]) == machine)
        #expect(usable(["/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"]) == machine)
        #expect(usable(["/sys/fs/cgroup/memory/memory.limit_in_bytes": "2097152\n"]) == 2_097_152)
    }

    @Test("a limit of a group above counts as well")
    func above() {
        let two = ["/proc/self/cgroup": "0::/system.slice/relay.service\n"]
        #expect(usable(two.merging(["/sys/fs/cgroup/system.slice/memory.max": "4096"]) { $1 }) == 4_096)
        #expect(usable(two.merging(["/sys/fs/cgroup/system.slice/relay.service/memory.max": "8192"]) { $1 }) == 8_192)
        let one = ["/proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/docker/x\n0::/\n"]
        let file = "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"
        #expect(usable(one.merging([file: "12288"]) { $1 }) == 12_288)
    }
}
