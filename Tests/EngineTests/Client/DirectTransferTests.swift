import Support
import Testing

@testable import Engine

/// Tests of the relay's own HTTP/1.1, for duties that libcurl has otherwise.
@Suite(.timeLimit(.minutes(1))) struct DirectTransferTests {
    @Test("a request is written as libcurl writes it")
    func request() async {
        let seen = Lock<[String]>([])
        let vendor = RawServer { peer, _ in
            while let request = peer.receiveRequest() {
                let lines = request.head.split(separator: "\r\n").map(String.init)
                seen.withLock { $0.append(([lines[0]] + lines[1...].sorted()).joined(separator: "\n")) }
                peer.sendResponse("")
            }
        }
        await withClient { client, _ in
            for isOfCurl in [false, true] {
                await BothTransports.$isOfCurl.withValue(isOfCurl) {
                    _ = await client.outcome(UpstreamCall(vendor.url("/a/b?c=%20d&e"), "body"))
                    _ = await client.outcome(UpstreamCall(vendor.url(""), nil))
                    let delete = UpstreamCall(vendor.url("/x#y"), nil)
                    _ = await client.outcome(
                        UpstreamCall(endpoint: delete.endpoint, headers: delete.headers, body: nil, isDeletion: true)
                    )
                }
            }
        }
        let requests = seen.withLock { $0 }
        #expect(requests.count == 6 && Array(requests.prefix(3)) == Array(requests.suffix(3)))
        #expect(requests.first?.hasPrefix("POST /a/b?c=%20d&e HTTP/1.1\n") ?? false)
    }

    @Test("a vendor that ends kept connections costs no request", arguments: [false, true])
    func keptConnectionsDie(isStreamed: Bool) async {
        let vendor = RawServer { peer, number in
            for turn in 0..<3 {
                guard peer.receiveRequest() != nil else { return }
                // Some connections end with the request that they have read, some before it arrives.
                if turn == 2, number % 2 == 0 { return }
                peer.sendResponse("answer")
            }
        }
        let outcomes = await withClient { client, loop in
            var outcomes: [CallOutcome] = []
            for number in 0..<100 {
                let call = UpstreamCall(vendor.url())
                outcomes.append(isStreamed ? await client.streamOutcome(call) : await client.outcome(call))
                if number % 3 == 0 { await loop.sleep(nanoseconds: 1_000_000) }
            }
            return outcomes
        }
        #expect(outcomes.allSatisfy { $0 == .response(200, "answer") })
    }

    @Test("a large body goes once more if a kept connection ends while it is sent", arguments: [false, true])
    func keptConnectionDiesInBody(isStreamed: Bool) async {
        let vendor = RawServer { peer, number in
            while peer.receiveRequest() != nil {
                peer.sendResponse("answer")
                if number % 2 == 0 {
                    _ = peer.receive(upTo: "\r\n\r\n")
                    return
                }
            }
        }
        let text = String(repeating: "abcdefgh", count: 1_000_000)
        let outcomes = await withClient { client, _ in
            var outcomes: [CallOutcome] = []
            for _ in 0..<6 {
                let call = UpstreamCall(vendor.url(), text)
                outcomes.append(isStreamed ? await client.streamOutcome(call) : await client.outcome(call))
            }
            return outcomes
        }
        #expect(outcomes.allSatisfy { $0 == .response(200, "answer") })
        #expect(vendor.connections == 2)
    }

    @Test(
        "a request goes once more only if a kept connection brought nothing",
        arguments: [("", 3), ("HTTP/1.1 200 O", 1), ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", 1)]
    )
    func sendsAgain(_ response: String, _ requests: Int) async {
        let counted = Lock(0)
        let vendor = RawServer { peer, number in
            if number == 0 {
                guard peer.receiveRequest() != nil else { return }
                peer.sendResponse("first")
            }
            guard peer.receiveRequest() != nil else { return }
            counted.withLock { $0 += 1 }
            peer.send(response)
        }
        let outcomes = await withClient { client, _ in
            var outcomes: [CallOutcome] = []
            for _ in 0..<3 { outcomes.append(await client.outcome(UpstreamCall(vendor.url()))) }
            return outcomes
        }
        #expect(outcomes == [.response(200, "first"), .failure(.broken), .failure(.broken)])
        // The third call has no kept connection.
        #expect(counted.withLock { $0 } == (requests == 3 ? 3 : 2))
    }

    @Test("a large body is sent whole, and an answer that comes before its end is taken", arguments: [false, true])
    func largeBody(isRefused: Bool) async {
        let size = 8_000_000
        let vendor = RawServer { peer, _ in
            if isRefused {
                _ = peer.receive(upTo: "\r\n\r\n")
                peer.sendResponse("too large", status: "413 Content Too Large", fields: "Connection: close\r\n")
                return peer.waitForEnd()
            }
            while let request = peer.receiveRequest() {
                peer.sendResponse("\(request.body.count) \(request.body.reduce(0) { $0 &+ Int($1) })")
            }
        }
        let text = String(repeating: "abcdefgh", count: size / 8)
        let outcomes = await withClient { client, _ in
            [
                await client.outcome(UpstreamCall(vendor.url(), text)),
                await client.streamOutcome(UpstreamCall(vendor.url(), text)),
            ]
        }
        let sum = text.utf8.reduce(0) { $0 &+ Int($1) }
        let expected: CallOutcome = isRefused ? .response(413, "too large") : .response(200, "\(size) \(sum)")
        #expect(outcomes == [expected, expected])
    }

    @Test("a body that is sent in part goes on after the reader of an early response was slow")
    func slowReaderInBody() async {
        let size = 8_000_000
        let sent = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receive(upTo: "\r\n\r\n") != nil else { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n" + String(repeating: "x", count: 100_000))
            sent.open()
            guard peer.receive(exactly: size) != nil else { return }
            peer.send("y")
            peer.waitForEnd()
        }
        let text = String(repeating: "a", count: size)
        let count = await withClient { client, loop in
            let call = UpstreamCall(vendor.url(), text) { $0.idleMilliseconds = 3_000 }
            guard let stream = try? await client.open(call) else { return -1 }
            _ = await sent.opens()
            await loop.sleep(nanoseconds: 20_000_000)
            var count = 0
            while let bytes = try? await stream.next() { count += bytes.count }
            stream.stop(isComplete: true)
            return count
        }
        #expect(count == 100_001)
    }

    @Test("what follows an answer breaks the call, or the kept connection", arguments: [true, false])
    func followed(isAtOnce: Bool) async {
        let sent = Gate()
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            let more = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" + (isAtOnce ? more : ""))
            if !isAtOnce { peer.send(more) }
            sent.open()
            peer.waitForEnd()
        }
        let outcomes = await withClient { client, loop in
            let first = await client.outcome(UpstreamCall(vendor.url()))
            _ = await sent.opens()
            await loop.sleep(nanoseconds: 20_000_000)
            return [first, await client.outcome(UpstreamCall(vendor.url()))]
        }
        for outcome in outcomes {
            #expect(outcome == .failure(.broken) || !isAtOnce && outcome == .response(200, "good"))
        }
        #expect(vendor.connections == 2)
    }

    @Test("bytes that came on an idle connection are no call's response, even if the loop has not seen them")
    func unasked() async {
        let (mayFollow, sent) = (Gate(), Gate())
        let vendor = RawServer { peer, number in
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse("good")
            guard number == 0 else { return peer.waitForEnd() }
            mayFollow.wait()
            peer.sendResponse("evil")
            sent.open()
            peer.waitForEnd()
        }
        let outcomes = await withClient { client, _ in
            let first = await client.outcome(UpstreamCall(vendor.url()))
            mayFollow.open()
            // The loop's thread waits here, so it handles no event between the bytes and the next call.
            sent.wait()
            return [first, await client.outcome(UpstreamCall(vendor.url()))]
        }
        #expect(outcomes == [.response(200, "good"), .response(200, "good")])
        #expect(vendor.connections == 2)
    }

    @Test("a 408 that ends a kept connection costs no request", arguments: [false, true], [false, true])
    func idleTimeout(isStreamed: Bool, isCut: Bool) async {
        let vendor = RawServer { peer, number in
            guard peer.receiveRequest() != nil else { return }
            guard number == 0 else { return peer.sendResponse("answer", fields: "Connection: close\r\n") }
            peer.sendResponse("answer")
            guard peer.receiveRequest() != nil else { return }
            let head = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
            peer.send(head + (isCut ? "Content-Length: 9\r\n\r\nsl" : "Content-Length: 4\r\n\r\nslow"))
        }
        let outcomes = await withClient { client, _ in
            var outcomes: [CallOutcome] = []
            for _ in 0..<2 {
                let call = UpstreamCall(vendor.url())
                outcomes.append(isStreamed ? await client.streamOutcome(call) : await client.outcome(call))
            }
            return outcomes
        }
        #expect(outcomes == [.response(200, "answer"), .response(200, "answer")])
        #expect(vendor.connections == 2)
    }

    @Test("a 408 on a new connection is the response")
    func firstTimeout() async {
        let vendor = RawServer { peer, _ in
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse("slow", status: "408 Request Timeout", fields: "Connection: close\r\n")
        }
        let outcome = await withClient { client, _ in await client.outcome(UpstreamCall(vendor.url())) }
        #expect(outcome == .response(408, "slow") && vendor.connections == 1)
    }
}
