import Engine
import Limits
import Shared

/// The vendors' quirks that the running relay of these settings remembers, for the command `models --quirks`.
struct QuirkReport {
    /// The reason why the quirks cannot be shown, as text for the operator.
    struct Failure: Error {
        let text: String
    }

    private let list: Body

    private static let seconds = 10

    /// Logs in to the relay as its operator and reads the list. Blocks for at most 10 s.
    init(_ settings: Settings) throws(Failure) {
        guard let admin = settings.admin, let password = AdminSettings.passwordOfProcess() else {
            throw Failure(text: "the relay shows its quirks to operators only; set ADMIN_PASSWORD")
        }
        let own = Settings.Address.ofProcess()
        let (given, port) = admin.listener.map { ($0.host, Int($0.port)) } ?? (own.host, own.port)
        let host = given == "0.0.0.0" || given == "::" ? "127.0.0.1" : given
        let site = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/admin"
        let login = Body(ByteBuffer(json: #"{"username":\#(admin.username),"password":\#(password)}"#))
        let (client, loop) = CurlClient.ofCommand()
        let thread = LoopThread(loop)
        defer {
            loop.stop()
            thread.join()
        }
        let fetch = QuirkFetch()
        Task(executorPreference: loop) { fetch.end(await Self.list(site, login, by: client)) }
        list = try fetch.result(withinSeconds: Self.seconds).get()
    }

    private static func list(_ site: String, _ login: Body, by client: CurlClient) async -> Result<Body, Failure> {
        do throws(Failure) {
            let session = try await send("\(site)/login", ["Content-Type: application/json"], body: login, by: client)
            let token = Self.parsed(session) { $0["data"]?["token"]?.string } ?? ""
            return .success(try await send("\(site)/quirks", ["Authorization: Bearer \(token)"], by: client))
        } catch {
            return .failure(error)
        }
    }

    private static func send(
        _ url: String,
        _ lines: [String],
        body: Body? = nil,
        by client: CurlClient
    ) async throws(Failure) -> Body {
        guard let endpoint = Endpoint(url, EndpointOptions()) else { throw Failure(text: "\(url) is not an address") }
        let response: UpstreamResponse
        do throws(TransportError) {
            let call = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders(lines), body: body)
            response = try await client.send(call)
        } catch {
            throw Failure(text: "no relay responds at \(endpoint.authority): \(error.cause)")
        }
        if response.head.status == 200 { return response.body }
        let message = parsed(response.body) { $0["msg"]?.string } ?? "status \(response.head.status)"
        throw Failure(text: "the relay at \(endpoint.authority): \(message)")
    }

    private static func parsed<Value>(_ body: Body, _ read: (JSONValue) -> Value?) -> Value? {
        let parser = JSONParser()
        return (try? parser.parse(body.bytes)).flatMap(read)
    }

    var json: String { list.bytes.text + "\n" }

    func text(isColoured: Bool) -> String {
        var table = TextTable("PROVIDER", "MODEL", "QUIRK", "REQUESTS", "FOR", "CALLERS", "UNTIL", "WORDS")
        table.rows =
            Self.parsed(list) { root in
                root["items"]?.elements?.map { item in
                    func text(_ name: StaticString) -> String { item[name]?.string ?? "" }
                    let end = item["ends_at"]?.integer.map { Timestamp.text(second: Int($0)) } ?? ""
                    return [
                        text("provider"), text("model"), text("quirk"), text("condition"), text("for"),
                        "\(item["callers"]?.integer ?? 0)", end, text("words"),
                    ]
                }
            } ?? []
        return table.text(isColoured: isColoured)
    }
}

/// The result of reading the list. An event loop stores it while another thread waits.
private final class QuirkFetch: Sendable {
    private let state = Lock<Result<Body, QuirkReport.Failure>?>(nil)
    private let signal = Signal()

    func end(_ result: Result<Body, QuirkReport.Failure>) {
        state.withLock { $0 = result }
        signal.wake()
    }

    func result(withinSeconds seconds: Int) -> Result<Body, QuirkReport.Failure> {
        let end = LoopTime.current().adding(seconds: seconds)
        while state.withLock({ $0 == nil }), LoopTime.current() < end { signal.wait(until: end) }
        let late = QuirkReport.Failure(text: "the relay did not respond within \(seconds) s")
        return state.withLock { $0 } ?? .failure(late)
    }
}
