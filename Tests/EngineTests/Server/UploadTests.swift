import Glibc
import Support
import Testing

@testable import Engine

/// Tests of an upload from a client through server and client loops to a vendor, all in this process.
@Suite(.timeLimit(.minutes(2))) struct UploadTests {
    @Test("32 MB come through, byte by byte the same", arguments: Coding.allCases, [Coding.length, .chunks])
    func passes(_ sent: Coding, _ forwarded: Coding) throws {
        try pass(blocks: 512, sent, forwarded)
    }

    /// Run this test alone in its process: `UPLOAD_MEMORY=1 swift test --filter UploadTests.memory`.
    @Test(
        "512 MB come through, and memory stays as it was",
        .enabled(if: getenv("UPLOAD_MEMORY") != nil, "the process's memory is measured"),
        arguments: Coding.allCases
    )
    func memory(_ sent: Coding) throws {
        let before = residentBytes()
        let most = try pass(blocks: 8_192, sent, .chunks)
        print("\(sent): resident \(before / 1_024) KB before, \(most / 1_024) KB at most")
        #expect(most < before + 8_000_000)
    }

    /// The coding of a client's body: how it marks its end.
    enum Coding: CaseIterable {
        case length
        case chunks
        case form
    }

    @discardableResult
    private func pass(blocks: Int, _ sent: Coding, _ forwarded: Coding) throws -> Int {
        let sink = Sink(blocks: blocks)
        let relay = try Relay(to: sink.vendor, forwarded)
        defer { relay.stop() }
        let client = relay.connect()
        let sender = TestThread { client.sendUpload(blocks: blocks, sent) }
        let response = client.receive(upTo: "done")
        sender.join()
        #expect(response?.contains("HTTP/1.1 200 ") == true)
        #expect(sink.seen == .whole)
        return sink.maxResidentBytes
    }

    @Test("a vendor that does not read slows the client", arguments: [Coding.length, .form])
    func slowVendor(_ sent: Coding) throws {
        let go = Gate()
        let sink = Sink(blocks: 1_024, after: go)
        let relay = try Relay(to: sink.vendor, .chunks)
        defer { relay.stop() }
        let client = relay.connect()
        let sentBlocks = Lock(0)
        let sender = TestThread {
            client.sendUpload(blocks: 1_024, sent) { number in sentBlocks.withLock { $0 = number } }
        }
        var last = -1
        while sentBlocks.withLock({ $0 }) != last {
            last = sentBlocks.withLock { $0 }
            usleep(200_000)
        }
        #expect(last < 600, "64 MB went nowhere")
        go.open()
        #expect(client.receive(upTo: "done") != nil)
        sender.join()
        #expect(sink.seen == .whole)
    }

    @Test("a client that leaves cuts the vendor's request", arguments: Coding.allCases, [Coding.length, .chunks])
    func clientLeaves(_ sent: Coding, _ forwarded: Coding) throws {
        let sink = Sink(blocks: 100)
        let relay = try Relay(to: sink.vendor, forwarded)
        defer { relay.stop() }
        var client: Socket? = relay.connect()
        client?.sendUpload(blocks: 100, sent, only: 50)
        #expect(sink.has(blocks: 20))
        client = nil
        #expect(sink.ended.wait())
        #expect(sink.seen == .cut)
    }

    @Test("a vendor that leaves ends the client's request with an error", arguments: Coding.allCases)
    func vendorLeaves(_ sent: Coding) throws {
        let vendor = RawServer { peer, _ in
            _ = peer.receive(upTo: "\r\n\r\n")
            for _ in 0..<20 { _ = peer.receive() }
        }
        let relay = try Relay(to: vendor, .chunks)
        defer { relay.stop() }
        let client = relay.connect()
        let sender = TestThread { client.sendUpload(blocks: 1_024, sent) }
        #expect(client.receive(upTo: "broken")?.contains("HTTP/1.1 502 ") == true)
        sender.join()
    }
}

/// A relay with one endpoint that forwards bodies to the vendor. The file of a form is forwarded as the file of another
/// form.
private final class Relay: Sendable {
    private let server: TestServer

    init(to vendor: RawServer, _ coding: UploadTests.Coding) throws {
        CurlClient.prepareProcess()
        let loop = EventLoop()
        let client = CurlClient(loop: loop)
        _ = Unmanaged.passRetained(client)
        guard let endpoint = Endpoint(vendor.url(), EndpointOptions()) else { preconditionFailure("no URL") }
        server = try TestServer(loop: loop) { request, writer in
            let pipe = Pipe(client: client, endpoint: endpoint, isLengthKept: coding == .length)
            let (text, status) = await pipe.respond(request)
            writer.respond(text, status: status)
        }
    }

    func connect() -> Socket { server.connect() }

    func stop() { server.stop() }
}

private struct Pipe {
    let client: CurlClient
    let endpoint: Endpoint
    let isLengthKept: Bool

    func respond(_ request: Request) async -> (text: String, status: Int) {
        do {
            if request[.contentType] != nil { return try await form(request) }
            let upload = try client.upload(
                to: endpoint,
                UpstreamHeaders(["Content-Type: audio/mpeg"]),
                totalBytes: isLengthKept ? request.body.declaredBytes : nil
            )
            defer { upload.stop(isComplete: true) }
            var piece = ByteBuffer()
            while try await request.body.next(into: &piece, limitBytes: 1_000_000_000) {
                upload.write(piece)
                guard try await upload.drained() else { break }
            }
            return try await end(upload)
        } catch let error as TransportError {
            return ("\(error.kind)", 502)
        } catch {
            return ("\(error)", 400)
        }
    }

    private func form(_ request: Request) async throws -> (text: String, status: Int) {
        var reader = try MultipartReader(contentType: request[.contentType])
        let file = MultipartFile(name: "asset", filename: "a.bin", contentType: "audio/mpeg")
        let upload = try client.upload(
            to: endpoint,
            UpstreamHeaders(["Content-Type: \(file.contentType)"]),
            totalBytes: isLengthKept ? file.totalBytes(fileBytes: Int(request[.id]?.text ?? "") ?? 0) : nil
        )
        defer { upload.stop(isComplete: true) }
        upload.write(file.head)
        var piece = ByteBuffer()
        var isWanted = true
        while isWanted, try await request.body.next(into: &piece, limitBytes: 1_000_000_000) {
            reader.append(&piece)
            while case .some(let event) = try reader.next() {
                if case .data(let bytes) = event { upload.write(bytes) }
            }
            isWanted = try await upload.drained()
        }
        if isWanted { try reader.checkEnd() }
        upload.write(file.tail)
        return try await end(upload)
    }

    private func end(_ upload: any UpstreamUpload) async throws -> (text: String, status: Int) {
        try await upload.endBody()
        return (try await upload.collect(limitBytes: 1_000).text, upload.head.status)
    }
}

/// The vendor, which checks the body and reports how it ended.
private final class Sink: Sendable {
    enum SeenBytes { case nothing, whole, wrong, cut }
    let vendor: RawServer
    let ended: Gate
    private let state: Lock<State>

    private struct State {
        var seen = SeenBytes.nothing
        var blocks = 0
        var most = 0
    }

    var seen: SeenBytes { state.withLock { $0.seen } }
    var maxResidentBytes: Int { state.withLock { $0.most } }

    init(blocks: Int, after go: Gate? = nil) {
        let state = Lock(State())
        let ended = Gate()
        self.state = state
        self.ended = ended
        vendor = RawServer { peer, _ in
            guard let head = peer.receive(upTo: "\r\n\r\n") else { return }
            go?.wait()
            let isForm = head.contains("multipart/form-data")
            var reader = isForm ? try? reader(of: head) : nil
            var checker = BlockChecker()
            let isWhole = peer.receiveBody(head) { piece in
                if isForm {
                    reader?.append(&piece)
                    while case .some(let event) = (try? reader?.next()) ?? nil {
                        if case .data(let bytes) = event { checker.check(bytes) }
                    }
                } else {
                    checker.check(piece.bytes)
                    piece.removeAll()
                }
                let (isRight, count) = (checker.isRight, checker.blocks)
                state.withLock {
                    if count / 64 != $0.blocks / 64 { $0.most = max($0.most, residentBytes()) }
                    $0.blocks = count
                    if !isRight { $0.seen = .wrong }
                }
            }
            let isEnded = isWhole && (!isForm || (try? reader?.checkEnd()) != nil)
            let count = checker.blocks
            state.withLock {
                if $0.seen == .nothing { $0.seen = !isEnded ? .cut : count == blocks ? .whole : .wrong }
            }
            ended.open()
            peer.sendResponse("done")
            peer.waitForEnd()
        }
    }

    /// Returns whether so many blocks arrive within ten seconds.
    func has(blocks: Int) -> Bool {
        for _ in 0..<2_000 where state.withLock({ $0.blocks }) < blocks { usleep(5_000) }
        return state.withLock { $0.blocks } >= blocks
    }
}

private func reader(of head: String) throws -> MultipartReader {
    let line = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Type: ") }
    let value = ByteBuffer(String(line?.dropFirst(14) ?? ""))
    return try MultipartReader(contentType: value.bytes)
}

/// A block of 64 KiB: its number, and then the same random bytes in each block.
private enum Block {
    static let size = 65_536
    static let filling: [UInt8] = {
        var random = Seeded(5)
        return (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }()

    static func bytes(_ number: Int) -> [UInt8] {
        var bytes = filling
        withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        return bytes
    }
}

private struct BlockChecker {
    private var expected = Block.bytes(0)
    private var offset = 0
    private(set) var blocks = 0
    private(set) var isRight = true

    mutating func check(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty, isRight {
            let count = min(rest.count, Block.size - offset)
            let isSame = expected.withUnsafeBytes { expected in
                guard let one = expected.baseAddress, let other = rest.baseAddress else { return false }
                return memcmp(one + offset, other, count) == 0
            }
            if !isSame { isRight = false }
            rest = rest[part: count..<rest.count]
            offset += count
            if offset == Block.size {
                offset = 0
                blocks += 1
                expected = Block.bytes(blocks)
            }
        }
    }
}

extension Socket {
    /// Sends a request with so many blocks, or only the first `only` of them. Stops when they are not accepted.
    fileprivate func sendUpload(
        blocks: Int,
        _ coding: UploadTests.Coding,
        only: Int? = nil,
        _ progress: (Int) -> Void = { _ in }
    ) {
        let field = "Content-Disposition: form-data; name=\"file\"; filename=\"x\""
        let (head, tail) = coding == .form ? ("--b\r\n\(field)\r\n\r\n", "\r\n--b--\r\n") : ("", "")
        let size = head.utf8.count + blocks * Block.size + tail.utf8.count
        var fields = coding == .chunks ? "Transfer-Encoding: chunked\r\n" : "Content-Length: \(size)\r\n"
        if coding == .form {
            fields += "Content-Type: multipart/form-data; boundary=b\r\nID: \(blocks * Block.size)\r\n"
        }
        send("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(head)")
        for number in 0..<(only ?? blocks) {
            var bytes = Block.bytes(number)
            if coding == .chunks { bytes = Array("10000\r\n".utf8) + bytes + [13, 10] }
            guard send(bytes) else { return }
            progress(number)
        }
        if only == nil { send(coding == .chunks ? "0\r\n\r\n" : tail) }
    }

    /// Passes on a request's body as it arrives. Returns false if it was cut off.
    fileprivate func receiveBody(_ head: String, _ body: (inout ByteBuffer) -> Void) -> Bool {
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            .flatMap { Int($0.dropFirst(16)) }
        var chunks = ChunkedBody()
        var waiting = ByteBuffer()
        var piece = ByteBuffer()
        var count = 0
        while length.map({ count < $0 }) ?? !chunks.isDone {
            guard case .bytes(let bytes) = receiveWaiting() else { return false }
            bytes.withUnsafeBytes { waiting.append($0) }
            if length != nil {
                count += waiting.count
                swap(&piece, &waiting)
            } else {
                guard let taken = try? chunks.consume(waiting.bytes, into: &piece) else { return false }
                waiting.removeFirst(taken)
            }
            body(&piece)
        }
        return true
    }
}

/// Returns the resident memory of this process, in bytes.
private func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, 128, file) != nil else { return 0 }
    let fields = String(decoding: text.map(UInt8.init), as: UTF8.self).split(separator: " ")
    return (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
}
