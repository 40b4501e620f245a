import CCurl
import Glibc
import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct CurlUploadTests {
    @Test("a body in pieces arrives whole, with its length or in chunks", arguments: [true, false])
    func sends(isLengthKnown: Bool) async {
        let pieces = [1, 16_384, 70_000, 3, 200_000].map {
            [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: $0)
        }
        let all = pieces.flatMap { $0 }
        let seen = Lock<(head: String, body: [UInt8])?>(nil)
        let vendor = RawServer { peer, _ in
            let request = peer.receiveUpload()
            seen.withLock { $0 = request }
            peer.sendResponse("taken", status: "201 Created")
            peer.waitForEnd()
        }
        let outcome = await withClient { client, _ in
            await client.uploadOutcome(vendor.url(), totalBytes: isLengthKnown ? all.count : nil, pieces)
        }
        #expect(outcome == .response(201, "taken"))
        let request = seen.withLock { $0 }
        #expect(request?.body == all)
        let head = request?.head.lowercased() ?? ""
        #expect(head.hasPrefix("post / http/1.1\r\n") && !head.contains("expect:"))
        #expect(head.contains("\r\ncontent-length: \(all.count)\r\n") == isLengthKnown)
        #expect(head.contains("\r\ntransfer-encoding: chunked\r\n") != isLengthKnown)
    }

    @Test("the connection of an upload is closed after the response")
    func closes() async {
        let received = Gate()
        let arrival = Lock<Socket.Arrival?>(nil)
        let vendor = RawServer { peer, _ in
            guard peer.receiveUpload() != nil else { return }
            peer.sendResponse("taken")
            let next = peer.receive()
            arrival.withLock { $0 = next }
            received.open()
        }
        await withClient { client, _ in
            _ = await client.uploadOutcome(vendor.url(), totalBytes: 3, [[1, 2, 3]])
            #expect(await received.opens())
        }
        #expect(arrival.withLock { $0 } == .end)
    }

    @Test("an empty body", arguments: [0, nil])
    func sendsNothing(totalBytes: Int?) async {
        let vendor = RawServer { peer, _ in
            guard let request = peer.receiveUpload() else { return }
            peer.sendResponse("\(request.body.count)")
            peer.waitForEnd()
        }
        let outcome = await withClient { client, _ in
            await client.uploadOutcome(vendor.url(), totalBytes: totalBytes, [])
        }
        #expect(outcome == .response(200, "0"))
    }

    @Test(
        "a refusal before the body's end is delivered, and the rest is not sent",
        arguments: ["", "Connection: close\r\n"],
        [true, false]
    )
    func refused(fields: String, isPaused: Bool) async {
        let refused = Gate()
        let counted = Lock(0)
        let ended = Gate()
        let vendor = RawServer { peer, _ in
            _ = peer.receive(upTo: "\r\n\r\n")
            peer.sendResponse("too large", status: "413 Content Too Large", fields: fields)
            refused.open()
            let (rest, _) = peer.receiveAll()
            counted.withLock { $0 = rest.count }
            ended.open()
        }
        let outcome = await withClient { client, loop in
            let outcome: CallOutcome
            do throws(TransportError) {
                let upload = try client.upload(vendor.url(), totalBytes: 1_000_000_000)
                defer { upload.stop(isComplete: true) }
                let piece = ByteBuffer(String(repeating: "x", count: 10_000))
                upload.write(piece)
                if isPaused {
                    _ = await refused.opens()
                    await loop.sleep(nanoseconds: 20_000_000)
                }
                while try await upload.drained() { upload.write(piece) }
                try await upload.endBody()
                outcome = .response(upload.head.status, try await upload.collect(limitBytes: 1_000).text)
            } catch {
                outcome = .failure(error.kind)
            }
            #expect(await ended.opens(), "the connection is closed")
            return outcome
        }
        #expect(outcome == .response(413, "too large"))
        #expect(counted.withLock { $0 } < 20_000_000, "it went on sending")
    }

    @Test("a vendor that takes nothing holds back the writer, with a bound")
    func holdsBack() async {
        let go = Gate()
        let vendor = RawServer { peer, _ in
            _ = peer.receive(upTo: "\r\n\r\n")
            go.wait()
            peer.waitForEnd()
        }
        let (written, isStill) = await withClient { client, loop in
            guard let upload = try? client.upload(vendor.url(), totalBytes: nil) else { return (0, false) }
            let written = Lock(0)
            let writer = Task(executorPreference: loop) {
                let piece = ByteBuffer(String(repeating: "x", count: 10_000))
                while (try? await upload.drained()) == true {
                    upload.write(piece)
                    written.withLock { $0 += piece.count }
                }
                upload.stop(isComplete: false)
            }
            var last = -1
            while written.withLock({ $0 }) != last {
                last = written.withLock { $0 }
                await loop.sleep(nanoseconds: 50_000_000)
            }
            let isStill = upload.isFull
            writer.cancel()
            await writer.value
            go.open()
            return (last, isStill)
        }
        #expect(isStill, "nobody waits")
        #expect(written < 20_000_000, "what the kernel takes, and no more")
    }

    @Test(
        "who stops in the middle leaves a connection cut, not a body's end",
        arguments: [1_000_000, nil],
        [true, false]
    )
    func aborts(totalBytes: Int?, isByLength: Bool) async {
        let rest = Lock("")
        let ended = Gate()
        let vendor = RawServer { peer, _ in
            _ = peer.receive(upTo: "\r\n\r\n")
            rest.withLock { $0 = peer.textToEnd() }
            ended.open()
        }
        let kind = await withClient { client, loop in
            var kind: TransportError.Kind?
            guard let upload = try? client.upload(vendor.url(), totalBytes: totalBytes) else { return kind }
            let piece = ByteBuffer(String(repeating: "x", count: 100))
            upload.write(piece)
            await loop.sleep(nanoseconds: 20_000_000)
            if isByLength, totalBytes != nil {
                do throws(TransportError) { try await upload.endBody() } catch { kind = error.kind }
                #expect(await ended.opens(), "before it is stopped")
            }
            upload.stop(isComplete: true)
            #expect(await ended.opens())
            return kind
        }
        let expected =
            totalBytes == nil ? "64\r\n\(String(repeating: "x", count: 100))\r\n" : String(repeating: "x", count: 100)
        #expect(rest.withLock { $0 } == expected)
        #expect(kind == (isByLength && totalBytes != nil ? .broken : nil))
    }

    @Test("more than the total that was said breaks the call off")
    func writesTooMuch() async {
        let vendor = RawServer { peer, _ in peer.waitForEnd() }
        let outcome = await withClient { client, _ in
            await client.uploadOutcome(vendor.url(), totalBytes: 10, [[1, 2, 3], [UInt8](repeating: 4, count: 8)])
        }
        #expect(outcome == .failure(.broken))
    }

    @Test("a vendor that leaves in the middle ends the writer with an error")
    func vendorLeaves() async {
        let vendor = RawServer { peer, _ in
            _ = peer.receive(upTo: "\r\n\r\n")
            _ = peer.receive()
        }
        let outcome = await withClient { client, _ in
            let piece = [UInt8](repeating: 1, count: 50_000)
            return await client.uploadOutcome(vendor.url(), totalBytes: nil, [[UInt8]](repeating: piece, count: 2_000))
        }
        #expect(outcome == .failure(.broken))
    }

    @Test("a kept connection that has died is not used for a body that cannot be sent again")
    func takesNewConnection() async {
        let vendor = RawServer { peer, number in
            if number == 0 {
                // The connection is kept after its response, and is dead from the next request's first byte on.
                guard peer.receiveRequest() != nil else { return }
                peer.sendResponse("first")
                _ = peer.receive()
            } else {
                guard let request = peer.receiveUpload() else { return }
                peer.sendResponse("\(request.body.count)")
                peer.waitForEnd()
            }
        }
        let outcomes = await withClient { client, _ in
            let first = await client.streamOutcome(UpstreamCall(vendor.url()) { $0.isHTTP2 = true })
            let body = [UInt8](repeating: 1, count: 100_000)
            return [first, await client.uploadOutcome(vendor.url(), totalBytes: nil, [body])]
        }
        #expect(outcomes == [.response(200, "first"), .response(200, "100000")])
        #expect(vendor.connections == 2)
    }

    @Test("a body that was read in part is not sent again from its middle")
    func secondAttempt() async {
        let stalled = Gate()
        let again = Lock<[UInt8]?>(nil)
        let vendor = RawServer { peer, number in
            if number > 0 {
                let request = peer.receiveUpload()
                again.withLock { $0 = request?.body }
                return peer.sendResponse("second")
            }
            guard peer.receiveRequest() != nil else { return }
            peer.sendResponse("first")
            _ = peer.receive(upTo: "\r\n\r\n")
            // The connection is reset with unread data. libcurl treats it as a kept connection that has died, and tries
            // again.
            stalled.wait()
            usleep(100_000)
        }
        let outcome = await withClient { client, loop in
            _ = await client.streamOutcome(UpstreamCall(vendor.url()) { $0.isHTTP2 = true })
            do throws(TransportError) {
                let upload = try client.upload(vendor.url(), totalBytes: nil)
                defer { upload.stop(isComplete: true) }
                // The kept connection is allowed, so that libcurl tries again when it turns out to be dead.
                if let transfer = upload as? CurlTransfer {
                    _ = relay_curl_set_long(transfer.easy, CURLOPT_FRESH_CONNECT, 0)
                }
                let piece = ByteBuffer(String(repeating: "x", count: 60_000))
                for _ in 0..<1_000 {
                    upload.write(piece)
                    if upload.isFull { stalled.open() }
                    guard try await upload.drained() else { break }
                }
                try await upload.endBody()
                return CallOutcome.response(upload.head.status, try await upload.collect(limitBytes: 100).text)
            } catch {
                return .failure(error.kind)
            }
        }
        #expect(outcome == .failure(.broken))
        #expect(again.withLock { $0 } == nil)
    }

    @Test("the time in which nothing is written is not the vendor's")
    func slowWriter() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let vendor = RawServer { peer, _ in
            guard let request = peer.receiveUpload() else { return }
            peer.sendResponse("\(request.body.count)")
            peer.waitForEnd()
        }
        let outcome = await withClient(loop) { client, loop in
            do throws(TransportError) {
                let upload = try client.upload(vendor.url(), totalBytes: nil) {
                    $0.idleMilliseconds = 100
                    $0.firstByteMilliseconds = 100
                }
                defer { upload.stop(isComplete: true) }
                for _ in 0..<5 {
                    upload.write(ByteBuffer("abc"))
                    guard await loop.turns(until: { (upload as? CurlTransfer)?.outgoing?.isPaused ?? false }) else {
                        return CallOutcome.failure(.cancelled)
                    }
                    clock.advance(milliseconds: 60_000)
                    await loop.sleep(nanoseconds: 0)
                    _ = try await upload.drained()
                }
                try await upload.endBody()
                return .response(upload.head.status, try await upload.collect(limitBytes: 100).text)
            } catch {
                return .failure(error.kind)
            }
        }
        #expect(outcome == .response(200, "15"))
    }

    @Test("a vendor that takes nothing for its idle time, or does not answer a sent body", arguments: [true, false])
    func slowVendor(isSending: Bool) async {
        let clock = ManualClock()
        let loop = clock.loop()
        let (received, done) = (Gate(), Gate())
        let vendor = RawServer { peer, _ in
            if !isSending {
                _ = peer.receiveUpload()
                received.open()
            }
            done.wait()
        }
        let kinds = await withClient(loop) { client, loop in
            let kind = Lock<TransportError.Kind?>(nil)
            let writer = Task(executorPreference: loop) {
                do throws(TransportError) {
                    let upload = try client.upload(vendor.url(), totalBytes: nil) {
                        $0.idleMilliseconds = 2_000
                        $0.firstByteMilliseconds = 5_000
                    }
                    defer { upload.stop(isComplete: false) }
                    let piece = ByteBuffer(String(repeating: "x", count: 60_000))
                    upload.write(piece)
                    while isSending, try await upload.drained() { upload.write(piece) }
                    try await upload.endBody()
                } catch {
                    kind.withLock { $0 = error.kind }
                }
            }
            if !isSending { _ = await received.opens() }
            // Data that is still on its way restarts the time. The clock stands still, so no time can be over before.
            let milliseconds: UInt64 = isSending ? 2_000 : 5_000
            clock.advance(milliseconds: milliseconds - 1)
            await loop.sleep(nanoseconds: 0)
            let before = kind.withLock { $0 }
            clock.advance(milliseconds: 1)
            await loop.sleep(nanoseconds: 0)
            while kind.withLock({ $0 }) == nil {  // as long as the kernel accepts more for the vendor
                clock.advance(milliseconds: milliseconds)
                await loop.sleep(nanoseconds: 0)
            }
            await writer.value
            return [before, kind.withLock { $0 }]
        }
        done.open()
        #expect(kinds == [nil, isSending ? .idleTimeout : .firstByteTimeout])
    }

    @Test("the whole time holds, also where the writer is slow")
    func total() async {
        let vendor = RawServer { peer, _ in peer.waitForEnd() }
        let kind = await withClient { client, loop in
            do throws(TransportError) {
                let upload = try client.upload(vendor.url(), totalBytes: nil) { $0.totalMilliseconds = 100 }
                defer { upload.stop(isComplete: false) }
                while try await upload.drained() {
                    upload.write(ByteBuffer("abc"))
                    await loop.sleep(nanoseconds: 20_000_000)
                }
                try await upload.endBody()
                return TransportError.Kind?.none
            } catch {
                return error.kind
            }
        }
        #expect(kind == .totalTimeout)
    }

    @Test("the whole time holds, also where the reader of the response is slow")
    func slowReader() async {
        let vendor = RawServer { peer, _ in
            guard peer.receiveUpload() != nil else { return }
            peer.beginChunks()
            while peer.sendChunk(String(repeating: "x", count: 16_384)) {}
        }
        let kind = await withClient { client, loop in
            do throws(TransportError) {
                let upload = try client.upload(vendor.url(), totalBytes: nil) { $0.totalMilliseconds = 100 }
                defer { upload.stop(isComplete: false) }
                try await upload.endBody()
                var piece = ByteBuffer()
                for _ in 0..<100 {
                    guard try await upload.more(patienceNanoseconds: 1_000_000_000) == .bytes else { break }
                    upload.receive(into: &piece)
                    piece.removeAll()
                    await loop.sleep(nanoseconds: 20_000_000)
                }
                return TransportError.Kind?.none
            } catch {
                return error.kind
            }
        }
        #expect(kind == .totalTimeout)
    }
}

extension CurlClient {
    func upload(
        _ url: String,
        totalBytes: Int?,
        _ change: (inout EndpointOptions) -> Void = { _ in }
    ) throws(TransportError) -> any UpstreamUpload {
        let call = UpstreamCall(url, nil, change)
        return try upload(to: call.endpoint, UpstreamHeaders(["Content-Type: audio/mpeg"]), totalBytes: totalBytes)
    }

    fileprivate func uploadOutcome(_ url: String, totalBytes: Int?, _ pieces: [[UInt8]]) async -> CallOutcome {
        do throws(TransportError) {
            let upload = try upload(url, totalBytes: totalBytes)
            defer { upload.stop(isComplete: true) }
            for piece in pieces {
                var bytes = ByteBuffer()
                piece.withUnsafeBytes { bytes.append($0) }
                upload.write(bytes)
                guard try await upload.drained() else { break }
            }
            try await upload.endBody()
            return .response(upload.head.status, try await upload.collect(limitBytes: 100_000).text)
        } catch {
            return .failure(error.kind)
        }
    }
}

extension Socket {
    /// Receives one request with its body, by Content-Length or in chunks; nil if it was cut off.
    func receiveUpload() -> (head: String, body: [UInt8])? {
        guard let head = receive(upTo: "\r\n\r\n") else { return nil }
        guard head.lowercased().contains("transfer-encoding: chunked") else {
            let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }
            return receive(exactly: length.flatMap { Int($0.dropFirst(16)) } ?? 0).map { (head, $0) }
        }
        var body: [UInt8] = []
        while let line = receive(upTo: "\r\n"), let size = Int(line.dropLast(1), radix: 16) {
            guard let data = receive(exactly: size + 2) else { return nil }
            if size == 0 { return (head, body) }
            body += data.dropLast(2)
        }
        return nil
    }
}
