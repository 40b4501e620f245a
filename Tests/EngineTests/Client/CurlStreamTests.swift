import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1)), BothTransports()) struct CurlStreamTests {
    @Test("a slow reader holds back the vendor: what waits is bounded, and all comes in order")
    func boundsWaiting() async {
        let size = 3_000_000
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            peer.send((0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) })
            peer.waitForEnd()
        }
        let (most, wrong, count) = await withClient { client, loop in
            var most = 0
            var wrong = 0
            var count = 0
            guard let stream = try? await client.open(UpstreamCall(vendor.url())) else { return (0, 0, 0) }
            await loop.sleep(nanoseconds: 20_000_000)
            while let bytes = try? await stream.next() {
                most = max(most, bytes.count)
                for byte in bytes {
                    if byte != UInt8(truncatingIfNeeded: count % 251) { wrong += 1 }
                    count += 1
                }
                if count % 7 == 0 { await Task.yield() }
            }
            stream.stop(isComplete: true)
            return (most, wrong, count)
        }
        #expect(count == size && wrong == 0)
        #expect(most >= UpstreamTransfer.streamLimitBytes, "it was never held back")
        #expect(most <= UpstreamTransfer.streamLimitBytes + 4_096)
    }

    @Test("while a reader takes its time the vendor's idle time does not run")
    func pausedIsNotIdle() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let sent = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse(String(repeating: "x", count: 200_000))
            sent.open()
            peer.waitForEnd()
        }
        let outcome = await withClient(loop) { client, loop in
            let call = UpstreamCall(vendor.url()) { $0.idleMilliseconds = 100 }
            guard let stream = try? await client.open(call) else { return -1 }
            _ = await sent.opens()
            for _ in 0..<2_000 { await Task.yield() }
            clock.advance(milliseconds: 60_000)
            await loop.sleep(nanoseconds: 0)
            var count = 0
            do throws(TransportError) {
                while let bytes = try await stream.next() {
                    count += bytes.count
                    clock.advance(milliseconds: 90)
                }
            } catch { count = -2 }
            stream.stop(isComplete: true)
            return count
        }
        #expect(outcome == 200_000)
    }

    @Test(
        "a stopped stream whose end follows keeps its connection, one that is not complete loses it",
        arguments: [true, false]
    )
    func stops(isComplete: Bool) async {
        let stopped = Gate()
        let vendor = RawServer { peer, number in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            peer.sendChunk("data")
            stopped.wait()
            peer.sendChunk("trailing")
            peer.send("0\r\n\r\n")
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse("\(number)")
            peer.waitForEnd()
        }
        let outcome = await withClient { client, loop in
            guard let stream = try? await client.open(UpstreamCall(vendor.url())) else {
                return CallOutcome.response(0, "")
            }
            let first = try? await stream.next()
            #expect(first.map { String(decoding: $0, as: UTF8.self) } == "data")
            stream.stop(isComplete: isComplete)
            stopped.open()
            await loop.sleep(nanoseconds: 20_000_000)
            return await client.streamOutcome(UpstreamCall(vendor.url()))
        }
        #expect(vendor.connections == (isComplete ? 1 : 2))
        let expected: CallOutcome = isComplete ? .response(200, "0") : .response(200, "datatrailing")
        #expect(outcome == expected)
    }

    @Test("a stopped stream whose end does not follow within a second is closed")
    func stopsInVain() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let stopped = Gate()
        let ended = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            peer.sendChunk("data")
            peer.waitForEnd()
            ended.open()
        }
        let task = Task {
            await withClient(loop) { client, loop in
                guard let stream = try? await client.open(UpstreamCall(vendor.url())) else { return }
                _ = try? await stream.next()
                stream.stop(isComplete: true)
                stopped.open()
                await loop.sleep(nanoseconds: 2_000_000_000)
            }
        }
        #expect(await stopped.opens())
        loop.pass(milliseconds: 1_000, on: clock)
        #expect(await ended.opens())
        loop.passLast(milliseconds: 1_000, on: clock)
        await task.value
    }

    @Test("silence is told in its time, and again, and bytes end it")
    func silence() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let asked = Gate()
        let go = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            asked.open()
            go.wait()
            peer.sendChunk("data")
            peer.waitForEnd()
        }
        let seen = Lock<[String]>([])
        let task = Task {
            await withClient(loop) { client, loop in
                guard let stream = try? await client.open(UpstreamCall(vendor.url())) else { return }
                for _ in 0..<3 {
                    let arrival = try? await stream.more(patienceNanoseconds: 10_000_000_000)
                    seen.withLock { $0.append(arrival.map { "\($0)" } ?? "error") }
                    if arrival == .silence { continue }
                }
                stream.stop(isComplete: false)
            }
        }
        #expect(await asked.opens())
        for round in 1...2 {
            await loop.untilWaiting(clock)
            loop.pass(milliseconds: 9_999, on: clock)
            #expect(seen.withLock { $0.count } == round - 1)
            loop.pass(milliseconds: 1, on: clock)
            #expect(seen.withLock { $0.count } == round)
        }
        go.open()
        await task.value
        #expect(seen.withLock { $0 } == ["silence", "silence", "bytes"])
    }
}

extension EventLoop {
    /// Gives the other side's thread, and then the loop, time to do their work.
    fileprivate func untilWaiting(_ clock: ManualClock) async {
        try? await Task.sleep(for: .milliseconds(20))
        settle()
    }
}
