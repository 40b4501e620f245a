import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct GoogleTokensTests {
    /// A token server with scripted responses, and then with a token that lives an hour.
    ///
    /// `@unchecked`: used on one loop only.
    private final class Server: Transport, @unchecked Sendable {
        var script: [(status: Int, body: String)]
        private(set) var exchanges = 0

        init(_ script: [(status: Int, body: String)] = []) { self.script = script }

        func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
            exchanges += 1
            let standard = (status: 200, body: #"{"access_token":"t\#(exchanges)","expires_in":3599}"#)
            let (status, body) = script.isEmpty ? standard : script.removeFirst()
            let head = UpstreamHead(status: status, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
            return UpstreamResponse(head: head, body: Body(ByteBuffer(body)))
        }

        func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
            throw TransportError(.unreachable)
        }

        func upload(
            to endpoint: Endpoint,
            _ headers: UpstreamHeaders,
            totalBytes: Int?
        ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
    }

    private func tokens() throws -> GoogleTokens {
        let cloud = CloudSettings(
            projectID: "p",
            clientID: "c",
            clientSecret: "s",
            locations: ["global"],
            tokenURL: "http://127.0.0.1:1/token"
        )
        let exchange = try #require(GoogleExchange(cloud.account(refreshToken: "r"), EndpointOptions()))
        return GoogleTokens(exchange, of: "v", Log(level: .error, format: .text))
    }

    /// Returns the token's text; empty if there is none.
    private func token(_ tokens: GoogleTokens, _ server: Server, _ loop: EventLoop) async -> String {
        let token = try? await tokens.token(by: server, on: loop, patienceNanoseconds: 60_000_000_000)
        return token?.text ?? ""
    }

    /// Moves the clock, and lets tasks of the loop run.
    private func turn(_ loop: EventLoop, _ clock: ManualClock, seconds: UInt64) async {
        clock.advance(milliseconds: seconds * 1_000)
        loop.wakeUp()
        for _ in 0..<4 { await loop.sleep(nanoseconds: 0) }
    }

    @Test("a token is replaced 225 seconds before its end, while the old one serves")
    func dueInTime() async throws {
        let tokens = try tokens()
        let clock = ManualClock()
        let reported = await onLoop(clock.loop()) { loop in
            let server = Server()
            var reported = [await self.token(tokens, server, loop)]
            await self.turn(loop, clock, seconds: 3_599 - 226)
            reported.append(await self.token(tokens, server, loop))
            await self.turn(loop, clock, seconds: 0)
            reported.append("\(server.exchanges)")
            await self.turn(loop, clock, seconds: 1)
            reported.append(await self.token(tokens, server, loop))
            await self.turn(loop, clock, seconds: 0)
            reported.append(await self.token(tokens, server, loop))
            return reported
        }
        #expect(reported == ["t1", "t1", "1", "t1", "t2"])
    }

    @Test("without a time a token lives five minutes")
    func unknownEnd() async throws {
        let tokens = try tokens()
        let clock = ManualClock()
        let reported = await onLoop(clock.loop()) { loop in
            let server = Server([(200, #"{"access_token":"a"}"#)])
            var reported = [await self.token(tokens, server, loop)]
            await self.turn(loop, clock, seconds: 149)
            reported.append(await self.token(tokens, server, loop))
            reported.append("\(server.exchanges)")
            await self.turn(loop, clock, seconds: 151)
            reported.append(await self.token(tokens, server, loop))
            return reported
        }
        #expect(reported == ["a", "a", "1", "t2"])
    }

    @Test("an account that was refused is not asked for again before five minutes have passed")
    func refusedAccount() async throws {
        let tokens = try tokens()
        let clock = ManualClock()
        let reported = await onLoop(clock.loop()) { loop in
            let server = Server([(400, #"{"error":"invalid_grant"}"#)])
            var reported = [await self.token(tokens, server, loop)]
            await self.turn(loop, clock, seconds: 299)
            reported.append(await self.token(tokens, server, loop))
            reported.append("\(server.exchanges)")
            await self.turn(loop, clock, seconds: 1)
            reported.append(await self.token(tokens, server, loop))
            return reported
        }
        #expect(reported == ["", "", "1", "t2"])
    }

    @Test("a token is dropped once in a minute, and only while it is the present one")
    func drops() async throws {
        let tokens = try tokens()
        let clock = ManualClock()
        let reported: [Bool] = await onLoop(clock.loop()) { loop in
            let server = Server()
            func present() async -> GoogleTokens.Token? {
                try? await tokens.token(by: server, on: loop, patienceNanoseconds: 60_000_000_000)
            }
            guard let first = await present() else { return [] }
            var reported = [tokens.drop(first, at: clock.now)]
            guard let second = await present() else { return [] }
            reported.append(tokens.drop(first, at: clock.now))
            reported.append(await present()?.text == "t2")
            reported.append(tokens.drop(second, at: clock.now))
            await self.turn(loop, clock, seconds: 60)
            reported.append(tokens.drop(second, at: clock.now))
            return reported
        }
        #expect(reported == [true, true, true, false, true])
    }
}
