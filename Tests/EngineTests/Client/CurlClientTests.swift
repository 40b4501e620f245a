import Support
import Synchronization
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1)), BothTransports()) struct CurlClientTests {
    @Test("calls one after the other share a connection, whole and streamed ones each")
    func keepsConnection() async {
        let vendor = RawServer { peer, number in
            while let request = peer.receiveRequest() {
                let line = request.head.split(separator: " ").prefix(2).joined(separator: " ")
                peer.sendResponse("\(number) \(line) \(String(decoding: request.body, as: UTF8.self))")
            }
        }
        let whole = await withClient { client, _ in
            var outcomes: [CallOutcome] = []
            for text in ["a", nil, "longer", "b"] {
                outcomes.append(await client.outcome(UpstreamCall(vendor.url("/x"), text)))
            }
            return outcomes
        }
        #expect(whole == ["POST /x a", "GET /x ", "POST /x longer", "POST /x b"].map { .response(200, "0 " + $0) })
        let streamed = await withClient { client, _ in
            var outcomes: [CallOutcome] = []
            for text in ["a", "b"] { outcomes.append(await client.streamOutcome(UpstreamCall(vendor.url("/x"), text))) }
            return outcomes
        }
        #expect(streamed == ["POST /x a", "POST /x b"].map { .response(200, "1 " + $0) })
    }

    @Test("status, media type and Retry-After are read")
    func readsHead() async {
        let vendor = RawServer { peer, _ in
            while let request = peer.receiveRequest() {
                if request.head.hasPrefix("POST /stream") {
                    peer.send("HTTP/1.1 100 Continue\r\n\r\n")
                    peer.sendResponse("", fields: "Content-Type: Text/Event-Stream;charset=utf-8\r\n")
                } else {
                    peer.sendResponse("no", status: "429 Too Many", fields: "Retry-After: 7\r\n")
                }
            }
        }
        let heads = await withClient { client, _ in
            let whole = try? await client.send(UpstreamCall(vendor.url())).head
            let stream = try? await client.open(UpstreamCall(vendor.url("/stream")))
            defer { stream?.stop(isComplete: true) }
            return [whole, stream?.head]
        }
        #expect(heads.map { $0?.status } == [429, 200])
        #expect(heads.map { $0?.isEventStream } == [false, true])
        #expect(heads.map { $0?.retryAfterSeconds } == [7, nil])
    }

    @Test("a handle whose call was cancelled in mid-body brings nothing of it to the next", arguments: [false, true])
    func emptiesPooledHandle(isStreamed: Bool) async {
        let vendor = RawServer { peer, _ in
            while let request = peer.receiveRequest() {
                guard request.head.hasPrefix("POST /first") else {
                    peer.sendResponse("own")
                    continue
                }
                peer.beginChunks()
                peer.sendChunk("another caller's")
                return peer.waitForEnd()
            }
        }
        let outcomes = await withClient { client, loop in
            var outcomes: [CallOutcome] = []
            for _ in 0..<3 {
                let first = Task(executorPreference: loop) {
                    let call = UpstreamCall(vendor.url("/first"))
                    return isStreamed ? await client.streamOutcome(call) : await client.outcome(call)
                }
                // The pause lets the bytes reach the handle, which is then in the middle of a body.
                await loop.sleep(nanoseconds: 20_000_000)
                first.cancel()
                outcomes.append(await first.value)
                let second = UpstreamCall(vendor.url("/second"))
                outcomes.append(isStreamed ? await client.streamOutcome(second) : await client.outcome(second))
            }
            return outcomes
        }
        for pair in 0..<3 {
            #expect(outcomes[2 * pair] == .failure(.cancelled))
            #expect(outcomes[2 * pair + 1] == .response(200, "own"))
        }
    }

    @Test("a connection that the vendor closes while nobody uses it does not keep the loop awake")
    func idleCloseDoesNotSpin() async {
        let closed = Gate()
        let vendor = RawServer { peer, number in
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse("\(number)")
            peer.shutDown()
            closed.open()
        }
        let turns = Atomics()
        let loop = EventLoop(clock: {
            turns.count.add(1, ordering: .relaxed)
            return LoopTime.current()
        })
        let (outcomes, spent) = await withClient(loop) { client, loop in
            let first = await client.outcome(UpstreamCall(vendor.url()))
            closed.wait()
            let before = turns.count.load(ordering: .relaxed)
            await loop.sleep(nanoseconds: 50_000_000)
            let spent = turns.count.load(ordering: .relaxed) - before
            return ([first, await client.outcome(UpstreamCall(vendor.url()))], spent)
        }
        #expect(spent < 20, "\(spent) turns in 50 ms")
        #expect(outcomes == [.response(200, "0"), .response(200, "1")], "and the next call gets a new connection")
    }

    @Test("cancellation closes the connection", arguments: [false, true])
    func cancelCloses(isStreamed: Bool) async {
        let asked = Gate()
        let ended = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.beginChunks()
            peer.sendChunk("a")
            asked.open()
            peer.waitForEnd()
            ended.open()
        }
        let outcome = await withClient { client, loop in
            let task = Task(executorPreference: loop) {
                let call = UpstreamCall(vendor.url())
                return isStreamed ? await client.streamOutcome(call) : await client.outcome(call)
            }
            #expect(await asked.opens())
            task.cancel()
            return await task.value
        }
        #expect(outcome == .failure(.cancelled))
        #expect(await ended.opens(), "the vendor sees the end")
    }

    @Test("a whole answer may have 16 MB and no more", arguments: [0, 1])
    func boundsWhole(over: Int) async {
        let size = EndpointOptions().responseLimitBytes + over
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            peer.send([UInt8](repeating: 120, count: size))
            peer.waitForEnd()
        }
        let count = await withClient { client, _ in
            switch await client.outcome(UpstreamCall(vendor.url())) {
            case .response(_, let text): text.utf8.count
            case .failure(let kind): kind == .tooLarge ? -1 : -2
            }
        }
        #expect(count == (over == 0 ? size : -1))
    }

    @Test(
        "an answer that is cut is broken, a vendor that is not there unreachable",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", TransportError.Kind.broken),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", .broken),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz", .broken), ("", .broken),
            ("HTTP/1.1 2", .broken),
            ("rubbish\r\n\r\n", .broken),
        ]
    )
    func broken(_ response: String, _ kind: TransportError.Kind) async {
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.send(response)
        }
        let url = vendor.url()
        let outcomes = await withClient { client, _ in
            [await client.outcome(UpstreamCall(url)), await client.streamOutcome(UpstreamCall(url))]
        }
        #expect(outcomes == [.failure(kind), .failure(kind)])
        vendor.stop()
        let after = await withClient { client, _ in await client.outcome(UpstreamCall(url)) }
        #expect(after == .failure(.unreachable))
    }

    @Test("what went wrong is told with host and port, also by a client with an address rule")
    func causes() async {
        ScriptedNames.script("gone.test") { _ in [] }
        let vendor = RawServer { peer, _ in
            _ = peer.receiveRequest()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        }
        let secure = RawServer { peer, _ in
            _ = peer.receiveRequest()
            peer.send([21, 3, 1, 0, 2, 2, 70])
        }
        let other = RawServer { _, _ in }
        other.stop()
        let causes = await withClient { client, loop in
            let ruled = CurlClient(loop: loop, rule: AddressRule())
            _ = Unmanaged.passRetained(ruled)
            return [
                await client.cause(UpstreamCall("http://gone.test/secret")),
                await client.cause(UpstreamCall(other.url("/secret"))),
                await client.cause(UpstreamCall(vendor.url("/secret"))),
                await client.cause(UpstreamCall(secure.url("/secret"))),
                await ruled.cause(UpstreamCall("http://gone.test/secret")),
                await ruled.cause(UpstreamCall(other.url("/secret"))),
            ]
        }
        #expect(
            causes == [
                "cannot resolve gone.test:80",
                "cannot connect to 127.0.0.1:\(other.port): connection refused",
                "the connection to 127.0.0.1:\(vendor.port) broke: it ended before the end of the response",
                "the connection to 127.0.0.1:\(secure.port) broke: what arrived is not HTTP/1.1; if the server expects TLS, write https://",
                "cannot resolve gone.test:80",
                "cannot connect to 127.0.0.1:\(other.port): the relay may not connect to this address",
            ]
        )
    }

    @Test(
        "a proxy that gives no tunnel is told, and the vendor was not called",
        arguments: [
            ("HTTP/1.1 407 Wanted\r\nContent-Length: 0\r\n\r\n", "answered 407; write user:password in UPSTREAM_PROXY"),
            (
                "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
                "answered 403 to CONNECT a.test:443; let it permit this host, or correct UPSTREAM_PROXY"
            ),
            ("", "gave no connection to a.test:443: "), ("SSH-2.0-x\r\n", "gave no connection to a.test:443: "),
        ]
    )
    func refusedTunnels(_ response: String, _ problem: String) async {
        let proxy = RawServer { peer, _ in
            if response.isEmpty { _ = peer.receive(exactly: 3) } else { _ = peer.receiveRequest() }
            peer.send(response)
        }
        let found = await withClient { client, _ in
            var found: [String] = []
            for scheme in ["http", "https", "socks5h"] where scheme == "http" || response.isEmpty {
                let call = UpstreamCall("https://a.test/") { $0.proxy = "\(scheme)://127.0.0.1:\(proxy.port)" }
                let kind = await client.outcome(call)
                found.append(kind == .failure(.unreachable) ? await client.cause(call) ?? "" : "\(kind)")
            }
            return found
        }
        let text = "the proxy 127.0.0.1:\(proxy.port) (UPSTREAM_PROXY) \(problem)"
        #expect(found.allSatisfy { $0.hasPrefix(text) }, "\(found)")
    }

    @Test("a vendor without TLS behind a proxy gets no advice to write http://")
    func tunnelWithoutTLS() async {
        let proxy = RawServer { peer, _ in
            _ = peer.receiveRequest()
            peer.send("HTTP/1.1 200 Established\r\n\r\n")
            _ = peer.receive(exactly: 3)
        }
        let cause = await withClient { client, _ in
            await client.cause(UpstreamCall("https://a.test/") { $0.proxy = "http://127.0.0.1:\(proxy.port)" })
        }
        let name = "the proxy 127.0.0.1:\(proxy.port) (UPSTREAM_PROXY)"
        #expect(cause == "no TLS connection to a.test:443 through \(name): SSL connect error")
    }

    @Test("many calls at once each get their own answer")
    func manyAtOnce() async {
        let vendor = RawServer { peer, _ in
            while let request = peer.receiveRequest() {
                peer.sendResponse(String(decoding: request.body, as: UTF8.self))
            }
        }
        let wrong = await withClient { client, _ in
            await withTaskGroup(of: Bool.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let call = UpstreamCall(vendor.url(), "\(number)")
                        let outcome = number % 2 == 0 ? await client.outcome(call) : await client.streamOutcome(call)
                        return outcome != .response(200, "\(number)")
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(wrong == 0)
    }
}

private final class Atomics: Sendable {
    let count = Atomic<Int>(0)
}
