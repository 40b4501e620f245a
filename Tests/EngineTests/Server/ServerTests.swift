import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(
        "draining ends connections without a whole request after half a second, others with their answer, and serves new ones for a time"
    )
    func drains() throws {
        let held = HeldConnection()
        let server = try TestServer { request, writer in
            if request.path.equals("/held") { await held.wait() }
            writer.respond("hello")
        }
        defer { server.stop() }
        let idle = server.connect()
        idle.send(request)
        #expect(idle.receive(upTo: "hello")?.contains("Connection:") == false)
        let half = server.connect()
        half.send("GET / HTTP/1.1\r\nHost: a\r\n")
        let busy = server.connect()
        busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        let waiting = try #require(Socket(connectedTo: server.port), "in the kernel's queue")
        let empty = Gate()
        server.loop.call { [server = server.server] in server.drain(listening: 10_000_000_000) { empty.open() } }
        server.pass(milliseconds: 499)
        #expect(idle.isSilent && half.isSilent && busy.isSilent)
        let new = server.connect()
        let silent = server.connect()
        new.send(request)
        #expect(new.textToEnd().contains("Connection: close"))
        waiting.send(request)
        #expect(waiting.textToEnd().contains("Connection: close"))
        server.pass(milliseconds: 1)
        #expect(idle.receive() == .end && half.receive() == .end)
        server.pass(milliseconds: 9_499)
        #expect(try #require(Socket(connectedTo: server.port)).isSilent && silent.isSilent)
        server.pass(milliseconds: 1)
        #expect(Socket(connectedTo: server.port) == nil, "nobody listens")
        server.pass(milliseconds: 500)
        #expect(silent.receive() == .end)
        server.pass(milliseconds: 60_000)
        #expect(busy.isSilent)
        server.loop.call { held.release() }
        let response = busy.textToEnd()
        #expect(response.contains("Connection: close") && response.hasSuffix("hello"))
        #expect(empty.wait(), "all are gone, and it is told")
    }

    @Test("a request on its way while draining begins is served")
    func drainsKindly() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        client.send(request)
        #expect(client.receive(upTo: "hello") != nil)
        let empty = Gate()
        server.loop.call { [server = server.server] in server.drain(listening: 10_000_000_000) { empty.open() } }
        server.loop.settle()
        client.send(request)
        #expect(client.textToEnd().hasSuffix("hello"))
        #expect(empty.wait())
        #expect(Socket(connectedTo: server.port) == nil, "nobody listens")
    }

    @Test("a client that leaves cancels its request")
    func leaving() throws {
        let begun = Gate()
        let cancelled = Gate()
        let server = try TestServer { _, _ in
            begun.open()
            await Waiter().wait()
            if Task.isCancelled { cancelled.open() }
        }
        defer { server.stop() }
        var client: Socket? = server.connect()
        client?.send(request)
        #expect(begun.wait())
        client = nil
        #expect(cancelled.wait())
    }

    @Test("pipelined requests are answered in order, also where a handler returns long after its answer")
    func pipelines() throws {
        let server = try TestServer { request, writer in
            await Task.yield()
            writer.respond(request.path.text)
            for _ in 0..<10 { await Task.yield() }
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(["first", "a", "b", "c"].map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        let bodies = ["\n/first", "\n/a", "\n/b", "\n/c"].map { client.receive(upTo: $0) != nil }
        #expect(bodies == [true, true, true, true])
        server.loop.settle()
        #expect(client.isSilent, "an answer too many, or the connection was ended")
    }

    @Test("a pipelined request is begun when the answer before it was sent")
    func pipelinesInTurn() throws {
        let begun = Count()
        let server = try TestServer { _, writer in
            begun.up()
            writer.respond(String(repeating: "x", count: 8_000_000) + "y")
        }
        defer { server.stop() }
        let client = server.connect(receiveBufferBytes: 4_096)
        client.send(String(repeating: request, count: 3))
        server.loop.settle()
        client.send(String(repeating: request, count: 2))
        server.pass(milliseconds: 100)
        #expect(begun.value == 1)
        for number in 1...5 {
            #expect(client.receive(upTo: "\r\n\r\n") != nil && client.receive(exactly: 8_000_001)?.last == 0x79)
            server.loop.settle()
            #expect(begun.value == min(number + 1, 5))
        }
        server.loop.settle()
        client.send(request)
        #expect(client.receive(upTo: "\r\n\r\n") != nil, "the connection was ended")
    }

    @Test("a client that pipelines requests and takes no answer is left after 120 seconds")
    func pipelinesUnread() throws {
        let server = try TestServer { _, writer in writer.respond(String(repeating: "x", count: 8_000_000)) }
        defer { server.stop() }
        let client = server.connect(receiveBufferBytes: 4_096)
        client.send(String(repeating: request, count: 20))
        server.pass(milliseconds: 120_000)
        server.loop.settle()
        #expect(client.receiveAll().bytes.count < 8_000_000)
    }

    @Test("a handler that returns without an answer ends the connection")
    func noAnswer() throws {
        let server = try TestServer { _, _ in }
        defer { server.stop() }
        let client = server.connect()
        client.send(request)
        #expect(client.receiveAll().bytes.isEmpty)
    }

    @Test("past its bound connections wait, and get their turn")
    func boundsConnections() throws {
        let server = try TestServer(connections: 2)
        defer { server.stop() }
        var first: Socket? = server.connect()
        let second = server.connect()
        let third = server.connect()
        for client in [first, second, third] { client?.send(request) }
        #expect(first?.receive(upTo: "hello") != nil && second.receive(upTo: "hello") != nil)
        server.pass(milliseconds: 200)
        #expect(third.isSilent)
        first = nil
        server.pass(milliseconds: 50)
        #expect(third.receive(upTo: "hello") != nil)
    }
}

/// A handler's wait, on the loop.
private final class HeldConnection: Sendable {
    private let waiter = Waiter()
    func wait() async { await waiter.wait() }
    func release() { waiter.wake() }

    @Test("batches arrive like other pieces, with room before them or without", arguments: ["1.1", "1.0"])
    func batches(version: String) throws {
        let counts = [5, 1, 3_000, 20_000, 2, 40_000]
        let server = try TestServer { _, writer in
            var head = ResponseHead(status: 200)
            head.add("X-Long", text: String(repeating: "x", count: 1_000))
            writer.begin(head)
            for (index, count) in counts.enumerated() {
                var batch = ByteBuffer()
                // The first batch follows the head. Others have no room before them, or too little.
                if index != 2 { batch.reserve(count, front: index == 4 ? 3 : batchFrontBytes) }
                for _ in 0..<count { batch.append(UInt8(ascii: "a") + UInt8(index)) }
                writer.write(batch: &batch)
                let isTaken = batch.isEmpty
                #expect(isTaken)
                if writer.isFull { await writer.drained() }
            }
            var none = ByteBuffer()
            writer.write(batch: &none)
            writer.end()
        }
        defer { server.stop() }
        let client = server.connect()
        client.send("GET / HTTP/\(version)\r\nHost: a\r\nConnection: close\r\n\r\n")
        let pieces = counts.enumerated().map { index, count in
            String(repeating: Character(UnicodeScalar(97 + UInt8(index))), count: count)
        }
        let body =
            version == "1.0"
            ? pieces.joined() : pieces.map { "\(String($0.count, radix: 16))\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
        let text = client.textToEnd()
        #expect(text.hasSuffix("\r\n\r\n" + body) && text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }
}
