import Glibc
import Support
import Testing

@testable import Engine

/// Tests of a server whose memory budget is used up. Requests are collected whole, and the response is their length.
@Suite(.timeLimit(.minutes(1))) struct MemoryServerTests {
    private let small = "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

    /// Creates a server with a budget of 4 MB, so that one address may hold 1 MB, and large bodies 3 MB.
    private func server(bytes: Int = 4 << 20) throws -> (TestServer, MemoryBudget) {
        let budget = MemoryBudget(bytes: bytes)
        let server = try TestServer(budget: budget) { request, writer in
            do throws(RequestError) {
                if !request.body.charge(nil) { try await request.body.chargeLater() }
                try await request.body.collect(limitBytes: 100_000_000)
                writer.respond("\(request.body.bytes.count) bytes")
            } catch {
                writer.respond(error.reason, status: error.status)
            }
        }
        return (server, budget)
    }

    private func head(_ length: Int) -> String { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n" }

    /// Returns a client that has sent part of a body.
    private func client(_ server: TestServer, of length: Int, sending bytes: Int) -> Socket {
        let client = server.connect()
        client.send(head(length))
        client.send([UInt8](repeating: 65, count: bytes))
        server.loop.settle(turns: 40)
        return client
    }

    @Test("a body that finds no memory is not read on, and after 5 seconds answered with 503")
    func waits() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let greedy = client(server, of: 10_000_000, sending: 700_000)
        #expect(budget.waitCount == 1)
        #expect(budget.largeUsedBytes <= 1 << 20)
        server.pass(milliseconds: 4_999)
        #expect(greedy.isSilent)
        server.pass(milliseconds: 1)
        #expect(greedy.textToEnd().hasPrefix("HTTP/1.1 503 "))
        server.loop.settle()
        #expect(budget.largeUsedBytes == 0 && budget.refusalCount == 1)
    }

    @Test("small requests of the same address are served meanwhile")
    func smallOnes() throws {
        let (server, _) = try server()
        defer { server.stop() }
        let greedy = client(server, of: 10_000_000, sending: 700_000)
        for _ in 0..<5 {
            let client = server.connect()
            client.send(small)
            #expect(client.receive(upTo: "5 bytes") != nil)
        }
        #expect(greedy.isSilent)
    }

    @Test("a body that waits goes on as soon as another ends")
    func goesOn() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let first = client(server, of: 400_000, sending: 200_000)
        let second = server.connect()
        second.send(head(400_000))
        let sending = TestThread { second.send([UInt8](repeating: 66, count: 400_000)) }
        // The thread sends when it is scheduled.
        for _ in 0..<2_000 where budget.waitCount == 0 {
            usleep(1_000)
            server.loop.settle(turns: 40)
        }
        #expect(budget.waitCount == 1)
        first.shutDown()
        server.pass(milliseconds: 100)
        sending.join()
        for _ in 0..<10 { server.pass(milliseconds: 21) }
        #expect(second.receive(upTo: "400000 bytes") != nil)
        #expect(budget.largeUsedBytes == 0 && budget.refusalCount == 0)
    }

    @Test("bodies that need more than there is are served one after the other, and none waits for all others")
    func oneAfterTheOther() throws {
        let (server, budget) = try server(bytes: 8 << 20)
        defer { server.stop() }
        let clients = (0..<4).map { _ in client(server, of: 700_000, sending: 65_536) }
        #expect(budget.waitCount == 3)
        let sending = clients.map { client in
            TestThread { client.send([UInt8](repeating: 66, count: 700_000 - 65_536)) }
        }
        // The threads send when they are scheduled.
        for _ in 0..<2_000 where !clients.allSatisfy({ !$0.isSilent }) {
            usleep(1_000)
            server.pass(milliseconds: 2)
        }
        for thread in sending { thread.join() }
        for client in clients { #expect(client.receive(upTo: "700000 bytes") != nil) }
        #expect(budget.largeUsedBytes == 0 && budget.refusalCount == 0)
    }

    @Test(
        "the largest body that the settings allow is served, although twice its bytes are all that its caller may use"
    )
    func largest() throws {
        let (server, budget) = try server(bytes: 8 << 20)
        defer { server.stop() }
        let client = server.connect()
        client.send(head(1 << 20))
        let sending = TestThread { client.send([UInt8](repeating: 66, count: 1 << 20)) }
        #expect(client.receive(upTo: "1048576 bytes") != nil)
        sending.join()
        #expect(budget.waitCount == 0)
    }

    @Test("the waits of one request for memory add up to 5 seconds")
    func allWaits() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let holder = budget.holder(MemoryHolder.Key(try #require(PeerAddress(text: "127.0.0.1"))))
        let others = MemoryReservation(holder, budget)
        #expect(others.reserve(900_000) == nil)
        let client = server.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<10 { client.send("10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n") }
        server.loop.settle(turns: 40)
        #expect(budget.waitCount == 1)
        server.pass(milliseconds: 3_000)
        others.give(600_000)
        for _ in 0..<5 { server.pass(milliseconds: 20) }
        #expect(budget.waitCount == 2 && client.isSilent)
        server.pass(milliseconds: 1_800)
        #expect(client.isSilent)
        server.pass(milliseconds: 200)
        #expect(client.textToEnd().hasPrefix("HTTP/1.1 503 "))
    }

    @Test("requests that wait for memory end at once when their clients leave")
    func leaving() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let clients = (0..<20).map { _ in client(server, of: 10_000_000, sending: 100_000) }
        #expect(budget.waitCount >= 19)
        for client in clients { client.shutDown() }
        server.loop.settle(turns: 40)
        #expect(budget.largeUsedBytes == 0)
        server.pass(milliseconds: 5_000)
        #expect(budget.refusalCount == 0, "none waited on")
    }

    @Test("while one waits, the slowest body under 100 KB/s ends with 408; a faster one and small ones do not")
    func slowBodies() throws {
        let (server, budget) = try server(bytes: 8 << 20)
        defer { server.stop() }
        let slow = client(server, of: 300_000, sending: 100_000)
        let faster = client(server, of: 400_000, sending: 65_536)
        for _ in 0..<6 {
            faster.send([UInt8](repeating: 65, count: 20_000))
            slow.send([UInt8](repeating: 65, count: 1_000))
            server.pass(milliseconds: 1_000)
        }
        #expect(slow.isSilent && faster.isSilent, "nobody waits")
        let waiting = client(server, of: 400_000, sending: 100_000)
        #expect(budget.waitCount == 1)
        for _ in 0..<3 { server.pass(milliseconds: 1_000) }
        #expect(slow.textToEnd().hasPrefix("HTTP/1.1 408 "))
        #expect(faster.isSilent && waiting.isSilent)
        #expect(budget.slowBodyCount == 1)
    }

    @Test("while one waits, a body ends with 408 that would hold much memory for over 20 s; a short one may be slower")
    func slowForItsSize() throws {
        let (server, budget) = try server(bytes: 32 << 20)
        defer { server.stop() }
        let long = client(server, of: 3_000_000, sending: 65_536)
        let short = client(server, of: 800_000, sending: 65_536)
        func arrive() {
            long.send([UInt8](repeating: 65, count: 120_000))
            short.send([UInt8](repeating: 65, count: 110_000))
            server.loop.settle(turns: 40)
            server.pass(milliseconds: 1_000)
        }
        for _ in 0..<4 { arrive() }
        let waiting = client(server, of: 600_000, sending: 100_000)
        #expect(budget.waitCount == 1 && long.isSilent)
        for _ in 0..<2 { arrive() }
        #expect(long.textToEnd().hasPrefix("HTTP/1.1 408 "))
        #expect(short.isSilent && waiting.isSilent)
        #expect(budget.slowBodyCount == 1)
    }

    @Test("a body of 3 MB at 20 KB/s is served while nobody waits")
    func honest() throws {
        let (server, _) = try server(bytes: 64 << 20)
        defer { server.stop() }
        let client = server.connect()
        client.send(head(3_000_000))
        for _ in 0..<150 {
            client.send([UInt8](repeating: 65, count: 20_000))
            server.pass(milliseconds: 1_000)
        }
        #expect(client.receive(upTo: "3000000 bytes") != nil)
    }

    @Test("parts of heads count: too many of one address are not read on, and refused after 5 seconds")
    func heads() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let part = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 20_000)
        var clients: [Socket] = []
        while budget.waitCount == 0, clients.count < 100 {
            let client = server.connect()
            client.send(part)
            server.loop.settle()
            clients.append(client)
        }
        #expect((30...50).contains(clients.count), "a quarter of 4 MB")
        server.pass(milliseconds: 5_000)
        #expect(clients.last?.textToEnd().hasPrefix("HTTP/1.1 503 ") ?? false)
        #expect(clients[0].isSilent)
    }

    @Test("connections count: those past an address's quarter are refused, and closed")
    func connections() throws {
        let (server, budget) = try server(bytes: 1 << 20)
        defer { server.stop() }
        var clients: [Socket] = []
        while budget.refusalCount == 0, clients.count < 200 { clients.append(server.connect()) }
        #expect(clients.count == 65, "64 of 4 KB each are 256 KB")
        #expect(clients.last?.textToEnd().hasPrefix("HTTP/1.1 503 ") ?? false)
        #expect(clients[0].isSilent)
    }

    @Test("a chunked body counts by what has come")
    func chunked() throws {
        let (server, budget) = try server()
        defer { server.stop() }
        let client = server.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("5\r\nhello\r\n")
        server.loop.settle()
        #expect(budget.largeUsedBytes == 0)
        for _ in 0..<10 { client.send("10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n") }
        server.loop.settle(turns: 40)
        #expect(budget.waitCount == 1 && budget.largeUsedBytes <= 1 << 20)
    }

    @Test("all is given back when a client leaves in any phase, and when its handler has returned")
    func nothingLeaks() throws {
        let (server, budget) = try server(bytes: 64 << 20)
        for length in [0, 10, 5_000, 65_535, 65_536, 400_000, 2_000_000] {
            for sent in [0, 1, length / 2, length] {
                let client = server.connect()
                client.send(head(length))
                let bytes = [UInt8](repeating: 65, count: min(sent, length))
                client.send(bytes)
                if sent >= length { #expect(client.receive(upTo: " bytes") != nil) }
                client.shutDown()
            }
        }
        server.loop.settle(turns: 40)
        #expect(budget.largeUsedBytes == 0)
        #expect(budget.usedBytes <= 2 * budget.chunkBytes, "what the loop keeps ahead")
        server.stop()
    }
}
