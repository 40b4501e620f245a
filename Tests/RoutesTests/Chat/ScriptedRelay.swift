import Glibc
import Support
import Testing
import Upstream

@testable import Engine
@testable import Routes
@testable import Shared

/// A relay without sockets, whose scripted providers serve the model `m` and whose clock a test moves.
///
/// `@unchecked`: used on its loop only.
final class ScriptedRelay: @unchecked Sendable {
    let loop: EventLoop
    let providers: [ScriptedProvider]
    private let clock: ManualClock
    private let host: RouterHost
    private let usageFile: String
    private var clients: [ScriptedClient] = []
    private var isStopped = false

    /// Runs a test on the loop of a new relay.
    ///
    /// - Parameters:
    ///   - providers: the settings of the providers `a`, `b` and so on, separated by spaces, such as `RETRIES=1`.
    ///   - more: further settings, separated by spaces.
    static func run(
        _ providers: [String],
        _ more: String = "",
        _ test: @escaping @Sendable (ScriptedRelay) async -> Void
    ) async {
        let clock = ManualClock()
        await onLoop(clock.loop()) { loop in
            let relay = ScriptedRelay(providers, more, on: loop, clock)
            await test(relay)
            for client in relay.clients { client.leave() }
            for client in relay.clients { _ = await relay.end(of: client) }
            relay.stop()
            unlink(relay.usageFile)
        }
    }

    private init(_ lines: [String], _ more: String, on loop: EventLoop, _ clock: ManualClock) {
        self.loop = loop
        self.clock = clock
        let names = zip(["a", "b", "c"], lines).map { $0.0 }
        let scripted = names.map { ScriptedProvider($0, on: loop) }
        providers = scripted
        var settings = "KEY_TEAM_TOKEN=sk-team KEY_OTHER_TOKEN=sk-other".settings()
        for (name, line) in zip(names, lines) {
            let own = line.settings()
            let usual = "KIND=openai BASE_URL=http://\(name).test/v1 MODELS=m API_KEYS=\(name)1 COST=1/1".settings()
            let all = own + usual.filter { setting in !own.contains { $0.0 == setting.0 } }
            settings += all.map { ("PROVIDER_\(name.uppercased())_\($0)", $1) }
        }
        var path = Array("/tmp/relay-test.XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
        close(mkstemp(&path))
        usageFile = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        host = RouterHost(settings + more.settings(), on: loop, clock: clock, usageFile: usageFile) { provider, tools in
            let transport = scripted.first { $0.name == provider.name } ?? scripted[0]
            var site = VendorSite(
                name: provider.name,
                baseURL: provider.baseURL,
                headers: [],
                options: EndpointOptions()
            )
            site.chatsBy = provider.chatsBy
            let vendor = OpenAILike(site, transport, quirks: QuirkMemory(), reasoningBlocks: nil, tools: tools)
            guard let vendor else { preconditionFailure("no URL: \(provider.baseURL)") }
            return vendor
        }
    }

    private func stop() {
        if !isStopped { host.stop() }
        isStopped = true
    }

    var a: ScriptedProvider { providers[0] }
    var b: ScriptedProvider { providers[1] }
    var c: ScriptedProvider { providers[2] }

    // MARK: Clients

    /// Sends a chat request.
    ///
    /// - Parameters:
    ///   - fields: further members of the body, each with a comma before it.
    ///   - head: further lines of the head, each with its line end.
    func send(
        isStreamed: Bool = false,
        _ prompt: String = "hello",
        _ fields: String = "",
        model: String = "m",
        key: String = "sk-team",
        head: String = ""
    ) -> ScriptedClient {
        let messages = #"[{"role":"user","content":"\#(prompt)"}]"#
        let body = #"{"model":"\#(model)","stream":\#(isStreamed),"messages":\#(messages)\#(fields)}"#
        let client = ScriptedClient(host, host.request(body, "Authorization: Bearer \(key)\r\n\(head)"))
        clients.append(client)
        return client
    }

    /// Sends a chat request, and returns its response. The parameters are those of `send`.
    func response(
        isStreamed: Bool = false,
        _ prompt: String = "hello",
        _ fields: String = "",
        model: String = "m",
        key: String = "sk-team",
        head: String = ""
    ) async -> ReceivedResponse {
        await end(of: send(isStreamed: isStreamed, prompt, fields, model: model, key: key, head: head))
    }

    /// Waits for the end of a request.
    func end(of client: ScriptedClient, at location: SourceLocation = #_sourceLocation) async -> ReceivedResponse {
        await until(at: location) { client.isDone }
        return client.received
    }

    // MARK: Time

    /// Waits for something that needs no later time of the clock.
    func until(at location: SourceLocation = #_sourceLocation, _ isTrue: () -> Bool) async {
        let end = LoopTime.current().adding(seconds: 30)
        while !isTrue() {
            guard LoopTime.current() < end else {
                Issue.record("it did not happen", sourceLocation: location)
                return
            }
            await turns(1)
        }
    }

    /// Lets the loop do all work that is ready.
    func settle() async { await turns(8) }

    private func turns(_ count: Int) async {
        for _ in 0..<count {
            await withUnsafeContinuation { continuation in loop.call { continuation.resume() } }
        }
    }

    /// Moves the clock, and lets the loop do the work that is then due.
    func pass(milliseconds: UInt64) async {
        await settle()
        clock.advance(milliseconds: milliseconds)
        await settle()
    }

    // MARK: Records

    /// Returns the usage records of all requests that have ended, and stops the relay.
    func records() -> [RecordLine] {
        stop()
        guard let file = fopen(usageFile, "r") else { return [] }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        var records: [RecordLine] = []
        while getline(&line, &room, file) > 0, let line { records.append(RecordLine(String(cString: line))) }
        return records
    }
}

extension String {
    /// Splits settings such as `A=1 B=2`. A `~` stands for a space in a value.
    fileprivate func settings() -> [(String, String)] {
        split(separator: " ").map { line in
            let parts = line.split(separator: "=", maxSplits: 1)
            let value = parts.count > 1 ? parts[1].map { $0 == "~" ? " " : $0 } : []
            return (String(parts[0]), String(value))
        }
    }
}
