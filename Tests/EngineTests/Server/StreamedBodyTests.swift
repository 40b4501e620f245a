import Glibc
import Support
import Synchronization
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct StreamedBodyTests {
    private let head = "POST / HTTP/1.1\r\nHost: a\r\n"

    @Test("a body in pieces, by its length and in chunks, and the connection is kept", arguments: [true, false])
    func pieces(isChunked: Bool) throws {
        let server = try TestServer { request, writer in
            let (text, failure) = await request.pieces()
            writer.respond("\(text) \(failure?.status ?? 200)\n")
        }
        defer { server.stop() }
        let client = server.connect()
        for _ in 0..<2 {
            client.send(head + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 8\r\n\r\n"))
            for piece in ["ab", "cde", "fgh"] {
                server.loop.settle()
                client.send(isChunked ? "\(piece.utf8.count)\r\n\(piece)\r\n" : piece)
            }
            if isChunked { client.send("0\r\n\r\n") }
            #expect(client.receive(upTo: "\n") != nil)
            #expect(client.receive(upTo: "\n") != nil, "the answer's body")
        }
    }

    @Test("pieces come as they arrive, before the body's end, and no faster than they are taken")
    func paces() throws {
        let taken = Lock<[Int]>([])
        let go = Turnstile()
        let server = try TestServer { request, writer in
            var piece = ByteBuffer()
            do throws(RequestError) {
                while try await request.body.next(into: &piece, limitBytes: 100_000_000) {
                    let count = piece.count
                    taken.withLock { $0.append(count) }
                    await go.wait()
                }
                writer.respond("all")
            } catch {
                writer.respond(error.reason, status: error.status)
            }
        }
        defer { server.stop() }
        let client = server.connect()
        let size = 20_000_000
        client.send(head + "Content-Length: \(size)\r\n\r\nabc")
        server.loop.settle()
        #expect(taken.withLock { $0 } == [3])
        let sender = TestThread { client.send([UInt8](repeating: 120, count: size - 3)) }
        var rounds = 0
        while taken.withLock({ $0.reduce(0, +) }) < size, taken.withLock({ $0.count }) == rounds + 1 {
            rounds += 1
            server.loop.call { go.pass() }
            // The thread sends when it is scheduled.
            for _ in 0..<20_000 where taken.withLock({ $0.count }) == rounds {
                server.loop.settle()
                usleep(100)
            }
        }
        #expect(taken.withLock { $0.count } == rounds + 1)
        server.loop.call { go.open() }
        sender.join()
        #expect(client.receive(upTo: "all") != nil)
        let all = taken.withLock { $0 }
        #expect(all.reduce(0, +) == size)
        #expect(all.allSatisfy { $0 <= RequestBody.pieceBytes }, "\(all.max() ?? 0)")
    }

    @Test("what came before somebody wanted the body is bounded, and is the first piece")
    func waits() throws {
        let go = Turnstile()
        let first = Lock(0)
        let server = try TestServer { request, writer in
            await go.wait()
            var piece = ByteBuffer()
            if (try? await request.body.next(into: &piece, limitBytes: 10_000_000)) == true {
                let count = piece.count
                first.withLock { $0 = count }
            }
            let (rest, _) = await request.pieces()
            writer.respond("\(rest.utf8.count)\n")
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 300000\r\n\r\n")
        let sender = TestThread { client.send([UInt8](repeating: 120, count: 300_000)) }
        for _ in 0..<50 { server.loop.settle() }
        server.loop.call { go.open() }
        sender.join()
        #expect(client.receive(upTo: "\r\n\r\n") != nil)
        let rest = client.receive(upTo: "\n").flatMap { Int($0.dropLast(1)) } ?? 0
        #expect(rest + first.withLock { $0 } == 300_000)
        #expect(first.withLock { $0 } <= RequestBody.unwantedBytes)
    }

    @Test("a body declared too large is refused before it is read, and is not asked for", arguments: [true, false])
    func tooLargeAtOnce(expects: Bool) throws {
        let server = try TestServer { request, writer in
            let (_, failure) = await request.pieces(limitBytes: 1_000)
            writer.respond("refused", status: failure?.status ?? 200)
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 1001\r\n" + (expects ? "Expect: 100-continue\r\n" : "") + "\r\n")
        let response = client.textToEnd()
        #expect(response.hasPrefix("HTTP/1.1 413 ") && response.contains("Connection: close"))
    }

    @Test("a body that is wanted is asked for once")
    func continues() throws {
        let server = try TestServer { request, writer in writer.respond(await request.pieces().text + "\n") }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.receive(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("ab")
        server.loop.settle()
        client.send("cd")
        #expect(client.receive(upTo: "\r\n\r\n")?.hasPrefix("HTTP/1.1 200 ") == true)
        #expect(client.receive(upTo: "\n") == "abcd\n")
    }

    @Test("a chunked body is refused where it passes the limit, and where it is malformed")
    func failsInTheMiddle() throws {
        let server = try TestServer { request, writer in
            let (text, failure) = await request.pieces(limitBytes: 6)
            writer.respond("after \(text)", status: failure?.status ?? 200)
        }
        defer { server.stop() }
        for (last, status) in [
            ("4\r\ndefg\r\n", "413"), ("x\r\n", "400"), ("0\r\n\r\n", "200"), ("3\r\ndef\r\n0\r\n\r\n", "200"),
        ] {
            let client = server.connect()
            client.send(head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            server.loop.settle()
            client.send(last)
            let response = client.textToEnd()
            #expect(response.hasPrefix("HTTP/1.1 \(status) ") && response.contains("after abc"), "\(last)")
        }
    }

    @Test("a client that leaves in the middle is no end of its body")
    func leaves() throws {
        let seen = Lock<RequestError?>(nil)
        let done = Gate()
        let server = try TestServer { request, _ in
            let (_, failure) = await request.pieces()
            seen.withLock { $0 = failure }
            done.open()
        }
        defer { server.stop() }
        var client: Socket? = server.connect()
        client?.send(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        server.loop.settle()
        client = nil
        #expect(done.wait())
        #expect(seen.withLock { $0 } == .clientLeft)
    }

    @Test("an answer before the body's end ends the connection, and is read")
    func answersEarly() throws {
        let server = try TestServer { request, writer in
            var piece = ByteBuffer()
            _ = try? await request.body.next(into: &piece, limitBytes: 10_000_000)
            writer.respond("enough")
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 5000000\r\n\r\n")
        client.send([UInt8](repeating: 120, count: 100_000))
        let response = client.textToEnd()
        #expect(response.contains("Connection: close") && response.hasSuffix("enough"))
    }

    @Test("a client that drips is answered with 408, also where each drop is taken at once")
    func tooSlow() throws {
        let server = try TestServer { request, writer in
            let (text, failure) = await request.pieces()
            writer.respond("after \(text.utf8.count)", status: failure?.status ?? 200)
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 100000\r\n\r\n")
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
        #expect(response.hasPrefix("HTTP/1.1 408 ") && response.contains("after 4160"))
    }

    @Test("the time in which the handler takes nothing is not the client's")
    func slowHandler() throws {
        let go = Turnstile()
        let server = try TestServer { request, writer in
            var piece = ByteBuffer()
            var count = 0
            do throws(RequestError) {
                while try await request.body.next(into: &piece, limitBytes: 10_000_000) {
                    count += piece.count
                    await go.wait()
                }
                writer.respond("took \(count)")
            } catch {
                writer.respond(error.reason, status: error.status)
            }
        }
        defer { server.stop() }
        let client = server.connect()
        client.send(head + "Content-Length: 300000\r\n\r\n")
        let sender = TestThread { client.send([UInt8](repeating: 120, count: 300_000)) }
        for _ in 0..<20 { server.loop.settle() }
        sender.join()
        for _ in 0..<20 {
            for _ in 0..<8 { server.pass(milliseconds: 5_000) }
            #expect(client.isSilent || client.hasInput(within: 0))
            server.loop.call { go.pass() }
            server.loop.settle()
        }
        #expect(client.receive(upTo: "took 300000") != nil)
    }
}

/// A gate that holds a handler on its loop.
private final class Turnstile: Sendable {
    private let waiter = Waiter()
    private let isOpen = Atomic(false)

    func wait() async { if !isOpen.load(ordering: .relaxed) { await waiter.wait() } }

    /// Lets one waiting handler through.
    func pass() { waiter.wake() }

    func open() {
        isOpen.store(true, ordering: .relaxed)
        waiter.wake()
    }
}

extension Request {
    /// Returns the text that arrived before the end or the failure.
    fileprivate func pieces(limitBytes: Int = 1_000_000) async -> (text: String, failure: RequestError?) {
        var text = ""
        var piece = ByteBuffer()
        do throws(RequestError) {
            while try await body.next(into: &piece, limitBytes: limitBytes) { text += piece.text }
        } catch {
            return (text, error)
        }
        return (text, nil)
    }
}
