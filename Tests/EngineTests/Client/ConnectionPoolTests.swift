import Support
import Testing

@testable import Engine

/// Tests of the idle connections to vendors: how many are kept, which one is taken, and for how long.
@Suite(.timeLimit(.minutes(1))) struct ConnectionPoolTests {
    @Test("as many connections are kept as were in use at once, and for a minute", arguments: [false, true])
    func keepsAsManyAsWereUsed(isStreamed: Bool) async {
        let clock = ManualClock()
        let vendor = CountingVendor()
        let figures = await withClient(clock.loop()) { client, loop in
            var figures: [Int] = []
            for _ in 0..<2 {
                vendor.holdsAnswers(until: 150)
                await client.rush(of: 150, at: vendor, isStreamed: isStreamed)
                figures.append(vendor.accepted)
            }
            clock.advance(milliseconds: 59_000)
            loop.wakeUp()
            await loop.sleep(nanoseconds: 0)
            figures.append(vendor.open)
            clock.advance(milliseconds: 1_001)
            _ = await loop.turnsOn(clock, until: { vendor.open == 0 })
            figures.append(vendor.open)
            return figures
        }
        // The second burst of calls opens no connection.
        #expect(figures == [150, 150, 150, 0])
    }

    @Test("connections of a rush end after a minute, although one of them is used all the time")
    func latestFirst() async {
        let clock = ManualClock()
        let vendor = CountingVendor()
        let figures = await withClient(clock.loop()) { client, loop in
            vendor.holdsAnswers(until: 20)
            await client.rush(of: 20, at: vendor)
            vendor.holdsAnswers(until: 1)
            for _ in 0..<7 {
                clock.advance(milliseconds: 10_000)
                await client.rush(of: 1, at: vendor)
            }
            _ = await loop.turnsOn(clock, until: { vendor.open == 1 })
            return [vendor.accepted, vendor.open]
        }
        #expect(figures == [20, 1])
    }

    @Test("descriptors bound the idle connections, and the oldest ones make room for others")
    func bound() async {
        let vendors = [CountingVendor(), CountingVendor()]
        let figures = await withClient { _, loop in
            let client = CurlClient(loop: loop, maxConnections: 10)
            _ = Unmanaged.passRetained(client)
            for vendor in vendors {
                vendor.holdsAnswers(until: 14)
                await client.rush(of: 14, at: vendor)
                _ = await loop.turns(until: { vendors[0].open + vendors[1].open == 10 })
            }
            return vendors.map(\.open)
        }
        #expect(figures == [0, 10])
    }

    @Test("idle connections count in the memory budget, which bounds them")
    func memory() async {
        let clock = ManualClock()
        let vendor = CountingVendor()
        let budget = MemoryBudget(bytes: 8 * 65_536)
        let figures = await withClient(clock.loop()) { _, loop in
            let client = CurlClient(loop: loop, budget: budget)
            _ = Unmanaged.passRetained(client)
            vendor.holdsAnswers(until: 100)
            await client.rush(of: 100, at: vendor)
            _ = await loop.turns(until: { vendor.open <= 8 })
            var figures = [vendor.open, budget.usedBytes]
            clock.advance(milliseconds: 60_001)
            _ = await loop.turnsOn(clock, until: { vendor.open == 0 && budget.usedBytes == 0 })
            figures += [vendor.open, budget.usedBytes]
            return figures
        }
        #expect(figures == [8, 65_536, 0, 0])
    }

    @Test("a budget that is used up keeps no connection, and calls go on")
    func noMemory() async {
        let vendor = CountingVendor()
        let budget = MemoryBudget(bytes: 8 * 65_536)
        #expect(budget.reserve(8 * 65_536 - 1, isLarge: false))
        let open = await withClient { _, loop in
            let client = CurlClient(loop: loop, budget: budget)
            _ = Unmanaged.passRetained(client)
            vendor.holdsAnswers(until: 5)
            await client.rush(of: 5, at: vendor)
            _ = await loop.turns(until: { vendor.open == 0 })
            return vendor.open
        }
        #expect(open == 0)
    }
}

/// A vendor that counts its connections, and responds only when so many requests wait.
private final class CountingVendor: Sendable {
    private let state: Lock<State>
    private let server: RawServer

    private struct State {
        var open = 0
        var waiting = 0
        var wanted = 1
        var gate = Gate()
    }

    init() {
        let state = Lock(State())
        self.state = state
        server = RawServer { peer, _ in
            state.withLock { $0.open += 1 }
            while peer.receiveRequest() != nil {
                let gate = state.withLock { state in
                    state.waiting += 1
                    if state.waiting == state.wanted { state.gate.open() }
                    return state.gate
                }
                gate.wait()
                peer.sendResponse("answer")
            }
            state.withLock { $0.open -= 1 }
        }
    }

    var url: String { server.url() }
    var accepted: Int { server.connections }
    var open: Int { state.withLock { $0.open } }

    func holdsAnswers(until requests: Int) {
        state.withLock { state in
            state.waiting = 0
            state.wanted = requests
            state.gate = Gate()
        }
    }
}

extension CurlClient {
    /// Makes so many calls at once, all of which must succeed.
    fileprivate func rush(of count: Int, at vendor: CountingVendor, isStreamed: Bool = false) async {
        await withTaskGroup(of: CallOutcome.self) { group in
            for _ in 0..<count {
                group.addTask {
                    let call = UpstreamCall(vendor.url)
                    return isStreamed ? await self.streamOutcome(call) : await self.outcome(call)
                }
            }
            for await outcome in group { #expect(outcome == .response(200, "answer")) }
        }
    }
}

extension EventLoop {
    /// Lets turns pass, some milliseconds of the clock apart, until `isSo`. Returns false if that does not happen.
    fileprivate func turnsOn(_ clock: ManualClock, until isSo: () -> Bool) async -> Bool {
        for _ in 0..<500 where !isSo() {
            clock.advance(milliseconds: 2)
            try? await Task.sleep(for: .milliseconds(1))
            await sleep(nanoseconds: 0)
        }
        return isSo()
    }
}
