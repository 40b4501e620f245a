import Support
import Testing

@testable import Engine

/// Tests with real listeners on loopback, which count connections.
@Suite(.timeLimit(.minutes(1))) struct FetcherTests {
    private static let loopback = [Network("127.0.0.0/8")].compactMap { $0 }

    private enum Outcome: Equatable {
        case body(String)
        case failure(FetchFailure.Kind)
    }

    /// Fetches each URL, one after the other, and returns the outcomes.
    private func fetch(
        _ urls: [String],
        schemes: [String] = ["https", "http"],
        adding networks: [Network] = [],
        limitBytes: Int = 1_000_000,
        limitMilliseconds: UInt64 = 10_000
    ) async -> [Outcome] {
        await withClient { _, loop in
            let fetcher = Fetcher(
                Fetcher.FetchConditions(schemes: schemes, agent: "test", limitMilliseconds: limitMilliseconds),
                CurlClient(loop: loop, rule: AddressRule(adding: networks))
            )
            _ = Unmanaged.passRetained(fetcher)
            var outcomes: [Outcome] = []
            for url in urls {
                outcomes.append(await outcome(of: url, by: fetcher, limitBytes: limitBytes))
            }
            return outcomes
        }
    }

    private func outcome(of url: String, by fetcher: Fetcher, limitBytes: Int) async -> Outcome {
        do throws(FetchFailure) {
            let body = try await fetcher.fetch(url, limitBytes: limitBytes)
            return .body(withExtendedLifetime(body) { body.bytes.text })
        } catch {
            return .failure(error.kind)
        }
    }

    private func counting() -> RawServer {
        RawServer(onAllAddresses: true) { peer, _ in while peer.receiveRequest() != nil { peer.sendResponse("secret") }
        }
    }

    /// Returns ways to write this machine's address, and other addresses that must not be reached.
    private static func forbidden(_ port: UInt16) -> [String] {
        [
            "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f.1", "0x7f000001",
            "0x7f.0x0.0x0.0x1", "127.000.000.001", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "127.0.0.1.",
            "127.8.8.8", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
            "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2001:0:7f00:1::]", "[fe80::1]",
            "[fe80::1%25lo]", "[fd00:ec2::254]", "[ff02::1]", "10.0.0.1", "100.64.0.1", "169.254.169.254",
            "2852039166", "0xa9fea9fe", "172.16.0.1", "192.168.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1",
            "255.255.255.255", "\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}", "127\u{3002}0\u{3002}0\u{3002}1",
            "%31%32%37.0.0.1",
        ]
        .map { "http://\($0):\(port)/" }
    }

    @Test("no connection is made to what is not public, however it is written")
    func refusesForms() async {
        let server = counting()
        let urls = Self.forbidden(server.port)
        let outcomes = await fetch(urls)
        for (url, outcome) in zip(urls, outcomes) {
            #expect(outcome == .failure(.unavailable) || outcome == .failure(.badURL), "\(url)")
        }
        #expect(server.connections == 0)
        // The listener is reachable: the same fetch succeeds if its network is allowed.
        #expect(await fetch([server.url()], adding: Self.loopback) == [.body("secret")])
        #expect(server.connections == 1)
    }

    @Test("refused, closed and silent look alike")
    func looksAlike() async {
        let silent = FullListener()
        let closed = counting()
        closed.stop()
        let server = counting()
        let denied = await fetch(["http://10.0.0.1/", server.url(), "http://nowhere.invalid/"])
        let allowed = await fetch([closed.url()], adding: Self.loopback)
        let slow = await fetch(["http://127.0.0.1:\(silent.port)/"], adding: Self.loopback, limitMilliseconds: 300)
        #expect(denied + allowed + slow == Array(repeating: .failure(.unavailable), count: 5))
    }

    @Test("a redirect to what is not public is not followed", arguments: [301, 302, 303, 307, 308])
    func redirects(status: Int) async {
        let inner = counting()
        let targets = Self.forbidden(inner.port)
        let outer = RawServer(onAllAddresses: true) { peer, _ in
            while let request = peer.receiveRequest() {
                let number = Int(request.head.split(separator: " ")[1].dropFirst()) ?? 0
                peer.sendResponse("", status: "\(status) Moved", fields: "Location: \(targets[number])\r\n")
            }
        }
        // Only the outer server is allowed.
        let network = [Network("127.77.0.1/32")].compactMap { $0 }
        let urls = targets.indices.map { "http://127.77.0.1:\(outer.port)/\($0)" }
        let outcomes = await fetch(urls, adding: network)
        #expect(outcomes == Array(repeating: .failure(.unavailable), count: urls.count))
        #expect(outer.connections == urls.count)
        #expect(inner.connections == 0)
    }

    @Test("redirects to other schemes, with credentials, in a circle and too many are not followed; three are")
    func redirectBounds() async {
        let server = RawServer { peer, _ in
            while let request = peer.receiveRequest() {
                let path = String(request.head.split(separator: " ")[1])
                let target: String? =
                    switch path {
                    case "/file": "file:///etc/passwd"
                    case "/gopher": "gopher://127.0.0.1:1/"
                    case "/user": "http://user:pass@127.0.0.1:1/"
                    case "/circle": "/circle"
                    case "/3", "/2", "/1", "/4": "/\(Int(path.dropFirst()).map { $0 - 1 } ?? 0)"
                    default: nil
                    }
                if let target {
                    peer.sendResponse("", status: "302 Found", fields: "Location: \(target)\r\n")
                } else {
                    peer.sendResponse("at \(path)")
                }
            }
        }
        let urls = ["/file", "/gopher", "/user", "/circle", "/4", "/3"].map { server.url($0) }
        let outcomes = await fetch(urls, adding: Self.loopback)
        #expect(outcomes == Array(repeating: .failure(.unavailable), count: 5) + [.body("at /0")])
        // There is one connection for each request: 1 + 1 + 1 + 4 + 4 + 4.
        #expect(server.connections == 15)
    }

    @Test("a name leads only where its address at that moment may be connected to")
    func changingName() async {
        let server = counting()
        ScriptedNames.script("rebind.test") { $0 == 0 ? ["127.0.0.1"] : ["127.77.0.2"] }
        let network = [Network("127.0.0.1/32")].compactMap { $0 }
        let url = "http://rebind.test:\(server.port)/"
        // Each fetch has a new client, so that no cache of names is shared.
        let first = await fetch([url], adding: network)
        #expect(first == [.body("secret")] && server.connections == 1)
        let second = await fetch([url], adding: network)
        #expect(second == [.failure(.unavailable)] && server.connections == 1)
        #expect(ScriptedNames.looks("rebind.test") == 2, "each fetch looks once")
    }

    @Test("of a name's addresses the forbidden ones are passed over")
    func severalAddresses() async {
        let server = counting()
        ScriptedNames.script("several.test") { _ in ["127.0.0.1", "10.0.0.1", "127.77.0.3"] }
        let network = [Network("127.77.0.3/32")].compactMap { $0 }
        #expect(await fetch(["http://several.test:\(server.port)/"], adding: network) == [.body("secret")])
        #expect(server.connections == 1)
    }

    @Test("a look-up that hangs holds up neither its loop nor the end of its fetch")
    func slowName() async {
        let gate = Gate()
        ScriptedNames.script("slow.test") { _ in
            gate.wait()
            return ["127.0.0.1"]
        }
        let server = counting()
        let outcomes = await withClient { _, loop in
            let rule = AddressRule(adding: Self.loopback)
            let fetchers = [300, 10_000].map {
                Fetcher(
                    Fetcher.FetchConditions(schemes: ["http"], agent: "test", limitMilliseconds: $0),
                    CurlClient(loop: loop, rule: rule)
                )
            }
            var outcomes: [Outcome] = []
            for (fetcher, url) in zip(fetchers, ["http://slow.test/", server.url()]) {
                _ = Unmanaged.passRetained(fetcher)
                outcomes.append(await outcome(of: url, by: fetcher, limitBytes: 100))
            }
            return outcomes
        }
        // The gate is still closed: the second URL was fetched during the look-up of the first.
        #expect(outcomes == [.failure(.unavailable), .body("secret")])
        gate.open()
    }

    @Test(
        "what is no URL to fetch",
        arguments: [
            "", "picture.png", "//127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/",
            "dict://127.0.0.1/", "data:text/plain,x", "http://user@127.0.0.1/", "http://user:pass@127.0.0.1/",
            "http://:pass@127.0.0.1/", "http://", "http:///", "http://a b/", "http://127.0.0.1\n/",
            "http://127.0.0.1:x/",
            "http://127.0.0.1:65536/", "unix:///run/x", "http://\(String(repeating: "a", count: 8_200))/",
        ]
    )
    func badURL(url: String) async {
        #expect(await fetch([url], adding: Self.loopback) == [.failure(.badURL)])
    }

    @Test("http only where it is allowed")
    func schemes() async {
        let server = counting()
        #expect(await fetch([server.url()], schemes: ["https"], adding: Self.loopback) == [.failure(.badURL)])
        #expect(server.connections == 0)
    }

    @Test("statuses other than 200, broken and cut answers bring nothing")
    func badAnswers() async {
        let server = RawServer { peer, number in
            guard peer.receiveRequest() != nil else { return }
            switch number {
            case 0: peer.sendResponse("x", status: "404 Not Found")
            case 1: peer.sendResponse("x", status: "206 Partial")
            case 2: peer.send("nonsense\r\n\r\n")
            case 3: peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            case 4: peer.sendResponse("x", status: "302 Found")
            default: peer.sendResponse("good")
            }
        }
        let outcomes = await fetch(Array(repeating: server.url(), count: 6), adding: Self.loopback)
        #expect(outcomes == Array(repeating: .failure(.unavailable), count: 5) + [.body("good")])
    }

    @Test("the bound on bytes holds with a length, without one, and exactly")
    func sizes() async {
        let server = RawServer { peer, _ in
            guard let request = peer.receiveRequest() else { return }
            let path = request.head.split(separator: " ")[1]
            switch path {
            case "/exact": peer.sendResponse(String(repeating: "x", count: 1_000))
            case "/long": peer.sendResponse(String(repeating: "x", count: 1_001))
            default:
                peer.send("HTTP/1.1 200 OK\r\n\r\n")
                while peer.send(String(repeating: "x", count: 1_000)) {}
            }
        }
        let outcomes = await fetch(
            ["/exact", "/long", "/endless"].map { server.url($0) },
            adding: Self.loopback,
            limitBytes: 1_000
        )
        #expect(outcomes == [.body(String(repeating: "x", count: 1_000)), .failure(.tooLarge), .failure(.tooLarge)])
    }

    @Test("one limit of time for all redirects together, also for a body that drips")
    func time() async {
        let server = RawServer { peer, _ in
            guard let request = peer.receiveRequest() else { return }
            if request.head.hasPrefix("GET /drip") {
                peer.send("HTTP/1.1 200 OK\r\n\r\n")
                while peer.send("x"), !peer.hasInput(within: 20) {}
            } else {
                _ = peer.hasInput(within: 10_000)  // until the client gives up
            }
        }
        let urls = [server.url("/drip"), server.url("/silent")]
        let outcomes = await fetch(urls, adding: Self.loopback, limitMilliseconds: 200)
        #expect(outcomes == [.failure(.unavailable), .failure(.unavailable)])
    }

    @Test("no more at once than the bound")
    func busy() async {
        let silent = FullListener()
        let outcomes = await withClient { _, loop in
            let fetcher = Fetcher(
                Fetcher.FetchConditions(schemes: ["http"], agent: "test", limitMilliseconds: 500),
                CurlClient(loop: loop, rule: AddressRule(adding: Self.loopback))
            )
            _ = Unmanaged.passRetained(fetcher)
            return await withTaskGroup(of: FetchFailure.Kind?.self) { group in
                for _ in 0...Fetcher.concurrent {
                    group.addTask {
                        do throws(FetchFailure) {
                            _ = try await fetcher.fetch("http://127.0.0.1:\(silent.port)/", limitBytes: 1)
                            return nil
                        } catch {
                            return error.kind
                        }
                    }
                }
                var kinds: [FetchFailure.Kind: Int] = [:]
                for await kind in group { if let kind { kinds[kind, default: 0] += 1 } }
                return kinds
            }
        }
        #expect(outcomes == [.unavailable: Fetcher.concurrent, .busy: 1])
    }
}
