import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct ServerDeadlineTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("a head that is not complete in 10 seconds is answered with 408, however it drips")
    func head() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        client.send("GET / HT")
        for step in 0..<9 {
            server.pass(milliseconds: 1_100)
            client.send("TP/1.1\r\nHost: a\r\n".utf8.dropFirst(step).first.map { [$0] } ?? [])
        }
        server.pass(milliseconds: 99)
        #expect(client.isSilent, "after 9.999 s")
        server.pass(milliseconds: 1)
        let response = client.textToEnd()
        #expect(response.hasPrefix("HTTP/1.1 408 ") && response.contains("\r\nConnection: close\r\n"))
    }

    @Test("a client that sends nothing at all is left without an answer after 10 seconds")
    func nothing() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        server.pass(milliseconds: 9_999)
        #expect(client.isSilent)
        server.pass(milliseconds: 1)
        #expect(client.receive() == .end)
    }

    @Test("a kept connection is closed after 75 seconds, counted from its last answer")
    func idle() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        for _ in 0..<3 {
            client.send(request)
            #expect(client.receive(upTo: "hello") != nil)
            server.pass(milliseconds: 74_999)
            #expect(client.isSilent)
        }
        client.send(request)
        #expect(client.receive(upTo: "hello") != nil)
        server.pass(milliseconds: 75_000)
        #expect(client.receive() == .end)
    }

    @Test("a second head has 10 seconds from its first byte")
    func secondHead() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        client.send(request)
        #expect(client.receive(upTo: "hello") != nil)
        server.pass(milliseconds: 60_000)
        client.send("GET")
        server.pass(milliseconds: 9_999)
        #expect(client.isSilent, "the idle time no longer holds")
        server.pass(milliseconds: 1)
        #expect(client.textToEnd().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("a request may take any time")
    func slowHandler() throws {
        let server = try TestServer { request, writer in
            await writer.sleep(request)
            writer.respond("late")
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(request)
        server.pass(milliseconds: 3_600_000 - 1)
        #expect(client.isSilent)
        server.pass(milliseconds: 1)
        #expect(client.receive(upTo: "late") != nil)
    }

    @Test(
        "a client that takes nothing for 120 seconds is left; each byte that it takes counts",
        arguments: [false, true]
    )
    func writeStall(isStreamed: Bool) throws {
        let size = 24_000_000
        let left = Count()
        let server = try TestServer { _, writer in
            let whole = String(repeating: "x", count: isStreamed ? size / 100 : size)
            if isStreamed {
                writer.begin(ResponseHead(status: 200))
                let piece = ByteBuffer(whole)
                for _ in 0..<100 where !Task.isCancelled {
                    writer.write(piece)
                    await writer.drained()
                }
                if Task.isCancelled {
                    #expect(writer.stalledSeconds == 120)
                    left.up()
                }
                writer.end()
            } else {
                writer.respond(whole)
                left.up()
            }
        }
        defer { server.stop() }
        let client = server.connect(receiveBufferBytes: 4_096)
        client.send(request)
        server.pass(milliseconds: 119_999)
        var taken = 0
        for _ in 0..<2_000 { if case .bytes(let more) = client.receive(most: 4_096) { taken += more.count } }
        server.pass(milliseconds: 119_999)
        for _ in 0..<2_000 { if case .bytes(let more) = client.receive(most: 4_096) { taken += more.count } }
        server.pass(milliseconds: 120_000)
        server.loop.settle()
        #expect(left.value == 1)
        let (rest, _) = client.receiveAll()
        #expect(taken + rest.count < size, "all came: the server did not leave")
        #expect(taken + rest.count > taken)
    }

    @Test("a body that brings less than 1 KB/s for 30 seconds is answered with 408")
    func slowBody() throws {
        let server = try TestServer { request, writer in
            switch await request.wholeBody() {
            case .success(let text): writer.respond("took \(text.utf8.count)")
            case .failure(let error): writer.respond(error.reason, status: error.status)
            }
        }
        defer { server.stop() }
        let client = server.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        server.loop.settle()
        for _ in 0..<8 {
            client.send([UInt8](repeating: 120, count: 5_200))
            server.pass(milliseconds: 5_000)
        }
        #expect(client.isSilent, "just enough for 40 s")
        for _ in 0..<5 {
            client.send("x")
            server.pass(milliseconds: 5_000)
        }
        let response = client.textToEnd()
        #expect(response.hasPrefix("HTTP/1.1 408 ") && response.contains("too slowly"))
    }

    @Test("a body that is wanted late is held to its rate from then on")
    func lateBody() throws {
        let server = try TestServer { request, writer in
            await writer.sleep(request)
            if case .failure(let error) = await request.wholeBody() {
                writer.respond(error.reason, status: error.status)
            }
        }
        defer { server.stop() }
        let client = server.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
        client.send([UInt8](repeating: 120, count: 80_000))
        server.pass(milliseconds: 3_600_000)
        for _ in 0..<6 { server.pass(milliseconds: 5_000) }
        #expect(client.isSilent == false)
        #expect(client.textToEnd().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("a body at 1 KB/s may take its time")
    func steadyBody() throws {
        let server = try TestServer { request, writer in
            if case .success(let text) = await request.wholeBody() { writer.respond("took \(text.utf8.count)") }
        }
        defer { server.stop() }
        let client = server.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104000\r\n\r\n")
        server.loop.settle()
        for _ in 0..<20 {
            client.send([UInt8](repeating: 120, count: 5_200))
            server.pass(milliseconds: 5_000)
        }
        #expect(client.receive(upTo: "took 104000") != nil)
    }

    @Test("a refused client that goes on sending may read its answer for 2 seconds")
    func linger() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = server.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        #expect(client.textToEnd().hasPrefix("HTTP/1.1 400 "))
        server.pass(milliseconds: 1_999)
        for _ in 0..<3 {
            #expect(client.send("more"), "still taken, and thrown away")
            server.loop.settle()
        }
        server.pass(milliseconds: 1)
        client.send("more")
        server.loop.settle()
        #expect(!client.send("more"), "the server has closed")
    }
}

extension ResponseWriter {
    /// Waits for an hour of the loop's clock.
    fileprivate func sleep(_ request: Request) async {
        guard let connection = self as? Connection else { return }
        await connection.loop.sleep(nanoseconds: 3_600_000_000_000)
    }
}
