import Support
import Testing

@testable import Engine

/// Runs `body` on a loop with a client. The client lives as long as the process, as in the relay.
func withClient<Result: Sendable>(
    _ loop: EventLoop = EventLoop(),
    _ body: @escaping @Sendable (CurlClient, EventLoop) async -> Result
) async -> Result {
    _ = prepared
    return await onLoop(loop) { loop in
        let client = CurlClient(loop: loop)
        _ = Unmanaged.passRetained(client)
        return await body(client, loop)
    }
}

/// A trait that runs each test with both implementations of HTTP: the relay's own, and libcurl's.
struct BothTransports: SuiteTrait, TestTrait, TestScoping {
    @TaskLocal static var isOfCurl = false

    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        for isOfCurl in [false, true] { try await Self.$isOfCurl.withValue(isOfCurl) { try await function() } }
    }
}

private let prepared: Void = CurlClient.prepareProcess()

extension UpstreamCall {
    /// Creates a POST of `text`; a GET if it is nil.
    init(
        _ url: String,
        _ text: String? = "{}",
        by deadline: (any ResponseDeadline)? = nil,
        _ change: (inout EndpointOptions) -> Void = { _ in }
    ) {
        var options = EndpointOptions()
        // Without TLS this uses HTTP/1.1 by libcurl.
        options.isHTTP2 = BothTransports.isOfCurl
        change(&options)
        guard let endpoint = Endpoint(url, options) else { preconditionFailure("\(url) is no URL") }
        let headers = UpstreamHeaders(["Content-Type: application/json", "Expect:"])
        self.init(endpoint: endpoint, headers: headers, body: text.map { Body(ByteBuffer($0)) }, by: deadline)
    }
}

/// The outcome of a call.
enum CallOutcome: Equatable {
    case response(Int, String)
    case failure(TransportError.Kind)
}

extension CurlClient {
    func outcome(_ call: UpstreamCall) async -> CallOutcome {
        do throws(TransportError) {
            let response = try await send(call)
            return .response(response.head.status, response.body.bytes.text)
        } catch {
            return .failure(error.kind)
        }
    }

    /// Returns the log's cause of a failed call; nil if the call succeeds.
    func cause(_ call: UpstreamCall) async -> String? {
        do throws(TransportError) {
            _ = try await send(call)
            return nil
        } catch {
            return error.cause
        }
    }

    /// Reads a stream to its end. Returns the outcome.
    func streamOutcome(_ call: UpstreamCall) async -> CallOutcome {
        let stream: any UpstreamStream
        do throws(TransportError) { stream = try await open(call) } catch { return .failure(error.kind) }
        var text = ""
        do throws(TransportError) {
            while let more = try await stream.next() { text += String(decoding: more, as: UTF8.self) }
            stream.stop(isComplete: true)
            return .response(stream.head.status, text)
        } catch {
            stream.stop(isComplete: false)
            return .failure(error.kind)
        }
    }
}

extension UpstreamStream {
    /// Returns the bytes that have arrived or arrive next; nil at the end.
    func next() async throws(TransportError) -> [UInt8]? {
        while true {
            switch try await more(patienceNanoseconds: 60_000_000_000) {
            case .silence: continue
            case .end: return nil
            case .bytes:
                var buffer = ByteBuffer()
                receive(into: &buffer)
                return Array(buffer.bytes)
            }
        }
    }
}

extension EventLoop {
    /// Lets turns pass until `isSo`. Returns false if that does not happen within five seconds.
    func turns(until isSo: () -> Bool) async -> Bool {
        for _ in 0..<5_000 where !isSo() {
            try? await Task.sleep(for: .milliseconds(1))
            await sleep(nanoseconds: 0)
        }
        return isSo()
    }
}

extension Socket {
    func sendResponse(_ text: String, status: String = "200 OK", fields: String = "") {
        send("HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\n\(fields)\r\n\(text)")
    }

    /// Sends the head of a chunked response.
    func beginChunks() {
        send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    @discardableResult
    func sendChunk(_ text: String) -> Bool {
        send(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n")
    }

    /// Returns when the client has ended the connection.
    func waitForEnd() { _ = receiveAll() }
}
