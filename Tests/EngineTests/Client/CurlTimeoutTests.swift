import Support
import Testing

@testable import Engine

/// libcurl's own times (connect, total) are real and short here; ours (first byte, idle) follow a moved clock.
@Suite(.timeLimit(.minutes(1)), BothTransports()) struct CurlTimeoutTests {
    @Test("a call whose answer does not begin in time", arguments: [false, true])
    func firstByte(isStreamed: Bool) async {
        let got = Gate()
        let outcome = await outcome(isStreamed, after: got, milliseconds: 5_000) { peer in
            guard peer.receiveRequest() != nil else { return }
            got.open()
            peer.waitForEnd()
        }
        #expect(outcome == .failure(.firstByteTimeout))
    }

    @Test("a call whose head comes, but no byte of its body", arguments: [false, true])
    func headAlone(isStreamed: Bool) async {
        let got = Gate()
        let outcome = await outcome(isStreamed, after: got, milliseconds: 5_000) { peer in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            got.open()
            peer.waitForEnd()
        }
        #expect(outcome == .failure(.firstByteTimeout))
    }

    @Test("an answer that stops in its middle", arguments: [false, true])
    func idle(isStreamed: Bool) async {
        let got = Gate()
        let outcome = await outcome(isStreamed, after: got, milliseconds: 2_000) { peer in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            peer.sendChunk("a")
            got.open()
            peer.waitForEnd()
        }
        #expect(outcome == .failure(.idleTimeout))
    }

    /// First byte within 5 s, idle at most 2 s. `milliseconds` pass once `got` is open; one less would not do.
    private func outcome(
        _ isStreamed: Bool,
        after got: Gate,
        milliseconds: UInt64,
        _ serve: @escaping @Sendable (Socket) -> Void
    ) async -> CallOutcome {
        let vendor = RawServer { peer, _ in serve(peer) }
        let clock = ManualClock()
        let loop = clock.loop()
        let done = Count()
        let task = Task {
            await withClient(loop) { client, _ in
                let call = UpstreamCall(vendor.url()) { options in
                    options.firstByteMilliseconds = 5_000
                    options.idleMilliseconds = 2_000
                }
                let outcome = isStreamed ? await client.streamOutcome(call) : await client.outcome(call)
                done.up()
                return outcome
            }
        }
        #expect(await got.opens())
        try? await Task.sleep(for: .milliseconds(20))
        loop.pass(milliseconds: milliseconds - 1, on: clock)
        #expect(done.value == 0, "too early")
        loop.passLast(milliseconds: 1, on: clock)
        return await task.value
    }

    @Test("a call that takes too long in all, though bytes come", arguments: [false, true])
    func total(isStreamed: Bool) async {
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            while peer.sendChunk("a"), !peer.hasInput(within: 10) {}
        }
        let outcome = await withClient { client, _ in
            let call = UpstreamCall(vendor.url()) { $0.totalMilliseconds = 100 }
            return isStreamed ? await client.streamOutcome(call) : await client.outcome(call)
        }
        #expect(outcome == .failure(.totalTimeout))
    }

    @Test("a vendor that does not take connections")
    func connects() async {
        let full = FullListener()
        let outcome = await withClient { client, _ in
            await client.outcome(UpstreamCall("http://127.0.0.1:\(full.port)/") { $0.connectMilliseconds = 100 })
        }
        #expect(outcome == .failure(.connectTimeout))
    }
}
