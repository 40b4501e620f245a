import Support
import Synchronization
import Testing

@testable import Engine

/// Tests of time-outs. libcurl's own times (connect, total) are real and short here; the relay's (first byte, idle)
/// follow a manual clock.
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

    @Test("a call whose answer does not begin by its deadline", arguments: [false, true])
    func late(isStreamed: Bool) async {
        let got = Gate()
        let outcome = await outcome(isStreamed, after: got, milliseconds: 1_000, Deadline()) { peer in
            guard peer.receiveRequest() != nil else { return }
            got.open()
            peer.waitForEnd()
        }
        #expect(outcome == .failure(.late))
    }

    @Test("a whole answer has to end by its deadline; a stream has all its time once the deadline is lifted")
    func lifted() async {
        for isLifted in [false, true] {
            let got = Gate()
            let deadline = Deadline()
            let outcome = await outcome(isLifted, after: got, milliseconds: isLifted ? 2_000 : 1_000, deadline) {
                peer in
                guard peer.receiveRequest() != nil else { return }
                peer.beginChunks()
                if isLifted { deadline.lift() }
                peer.sendChunk("a")
                got.open()
                peer.waitForEnd()
            }
            #expect(outcome == .failure(isLifted ? .idleTimeout : .late))
        }
    }

    @Test("a call that begins after its deadline connects to nobody")
    func tooLate() async {
        let vendor = RawServer { peer, _ in peer.waitForEnd() }
        let outcome = await withClient { client, loop in
            let deadline = Deadline()
            deadline.set(loop.now)
            return await client.outcome(UpstreamCall(vendor.url(), by: deadline))
        }
        #expect(outcome == .failure(.late) && vendor.connections == 0)
    }

    /// Returns the outcome of a call with 5 s for the first byte, 2 s of idle time, and a deadline. After `got` opens,
    /// `milliseconds` pass; the call must not end one millisecond earlier.
    private func outcome(
        _ isStreamed: Bool,
        after got: Gate,
        milliseconds: UInt64,
        _ deadline: Deadline? = nil,
        _ serve: @escaping @Sendable (Socket) -> Void
    ) async -> CallOutcome {
        let vendor = RawServer { peer, _ in serve(peer) }
        let clock = ManualClock()
        let loop = clock.loop()
        let done = Count()
        deadline?.set(clock.now + 1_000_000_000)
        let task = Task {
            await withClient(loop) { client, _ in
                let call = UpstreamCall(vendor.url(), by: deadline) { options in
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
        // A call that has ended has ended the loop, too, so waiting for it would not return.
        guard done.value == 0 else {
            Issue.record("too early")
            return await task.value
        }
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

private final class Deadline: ResponseDeadline, Sendable {
    private let end = Atomic(LoopTime.distantFuture)

    var endsAt: LoopTime { end.load(ordering: .relaxed) }

    func set(_ time: LoopTime) { end.store(time, ordering: .relaxed) }

    func lift() { set(.distantFuture) }
}
