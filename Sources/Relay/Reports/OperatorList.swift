import Engine
import Limits
import Shared

/// A list that the running relay of these settings shows to its operator, for commands such as `keys`.
struct OperatorList: Report {
    /// The list, named as the last part of its path.
    enum Kind: String {
        case keys
        case quirks
    }

    private let kind: Kind
    private let list: Body

    private static let seconds = 10

    /// Logs in to the relay as its operator and reads the list. Blocks for at most 10 s.
    init(_ kind: Kind, _ settings: Settings) throws(CommandFailure) {
        guard let admin = settings.admin, let password = AdminSettings.passwordOfProcess() else {
            throw CommandFailure(text: "the relay shows its \(kind.rawValue) to operators only; set ADMIN_PASSWORD")
        }
        let own = Settings.Address.ofProcess()
        let (given, port) = admin.listener.map { ($0.host, Int($0.port)) } ?? (own.host, own.port)
        let host = given == "0.0.0.0" || given == "::" ? "127.0.0.1" : given
        let site = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/admin"
        let login = Body(ByteBuffer(json: #"{"username":\#(admin.username),"password":\#(password)}"#))
        let loop = CommandLoop()
        let client = loop.client
        let results = loop.results(of: 1, withinSeconds: Self.seconds) { _ in
            await Self.list(kind, site, login, by: client)
        }
        guard let result = results[0] else {
            throw CommandFailure(text: "the relay did not respond within \(Self.seconds) s")
        }
        self.kind = kind
        list = try result.get()
    }

    private static func list(
        _ kind: Kind,
        _ site: String,
        _ login: Body,
        by client: CurlClient
    ) async -> Result<Body, CommandFailure> {
        do throws(CommandFailure) {
            let session = try await send("\(site)/login", ["Content-Type: application/json"], body: login, by: client)
            let token = Self.parsed(session) { $0["data"]?["token"]?.string } ?? ""
            return .success(try await send("\(site)/\(kind.rawValue)", ["Authorization: Bearer \(token)"], by: client))
        } catch {
            return .failure(error)
        }
    }

    private static func send(
        _ url: String,
        _ lines: [String],
        body: Body? = nil,
        by client: CurlClient
    ) async throws(CommandFailure) -> Body {
        guard let endpoint = Endpoint(url, EndpointOptions()) else {
            throw CommandFailure(text: "\(url) is not an address")
        }
        let response: UpstreamResponse
        do throws(TransportError) {
            let call = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders(lines), body: body)
            response = try await client.send(call)
        } catch {
            throw CommandFailure(text: "no relay responds at \(endpoint.authority): \(error.cause)")
        }
        if response.head.status == 200 { return response.body }
        let message = parsed(response.body) { $0["msg"]?.string } ?? "status \(response.head.status)"
        throw CommandFailure(text: "the relay at \(endpoint.authority): \(message)")
    }

    private static func parsed<Value>(_ body: Body, _ read: (JSONValue) -> Value?) -> Value? {
        JSONParser.read(body.bytes, read) ?? nil
    }

    var json: JSONFragment { JSONFragment(stringLiteral: list.bytes.text) }

    func text(isColoured: Bool) -> String {
        switch kind {
        case .keys: keys.text(isColoured: isColoured)
        case .quirks: quirks.text(isColoured: isColoured)
        }
    }

    /// Returns the rows of a table: those that `rows` makes of each item.
    private func rows(_ rows: (JSONValue) -> [[String]]) -> [[String]] {
        Self.parsed(list) { $0["items"]?.elements?.flatMap(rows) } ?? []
    }
}

extension OperatorList {
    /// The table of the vendors' quirks that the relay remembers, for `models --quirks`.
    private var quirks: TextTable {
        var table = TextTable(["PROVIDER", "MODEL", "QUIRK", "REQUESTS", "FOR", "CALLERS", "UNTIL", "WORDS"])
        table.rows = rows { item in
            [
                [
                    item.shown("provider"), item.shown("model"), item.shown("quirk"), item.shown("condition"),
                    item.shown("for"), "\(item["callers"]?.integer ?? 0)", item.moment("ends_at"), item.shown("words"),
                ]
            ]
        }
        return table
    }

    /// The table of the known callers, for `keys`. Each budget of a key after the first has a line of its own.
    private var keys: TextTable {
        var table = TextTable([
            "KEY", "MODELS", "BUDGET", "USED", "LEFT", "UNTIL", "TODAY", "THIS MONTH", "FAILURES", "LAST USED",
            "EXPIRES",
        ])
        table.rightAligned = [3, 4, 6, 7, 8]
        table.rows = rows { item in
            let isGroup = item["kind"]?.string == "group"
            let groups = (isGroup ? nil : item["groups"]?.elements)?.compactMap(\.string) ?? []
            // The key stands under its first group.
            let others = groups.count > 1 ? " (\(groups.joined(separator: ",")))" : ""
            let name = (isGroup ? "group " : groups.isEmpty ? "" : "  ") + item.shown("name") + others
            let models = item["models"]?.elements?.compactMap(\.string).joined(separator: ",") ?? ""
            let state = item.shown("state")
            let end = [state == "ok" || isGroup ? "" : state, item.moment("expires_at")].filter { !$0.isEmpty }
            let after = [
                item.cost("cost_today", "unpriced_today"), item.cost("cost_month", "unpriced_month"),
                "\(item["failures"]?.integer ?? 0)",
                item.shown("last_used"), end.joined(separator: ", "),
            ]
            let budgets = (item["budgets"]?.elements ?? nil)?.map { budget in
                [budget.shown("quota"), budget.shown("used"), budget.shown("left"), budget.moment("resets_at")]
            }
            let lines = budgets.map { $0.isEmpty ? [["", "", "", ""]] : $0 } ?? [["", "", "", ""]]
            return lines.enumerated().map { at, budget in
                at == 0 ? [name, models] + budget + after : ["", ""] + budget + after.map { _ in "" }
            }
        }
        return table
    }
}

extension JSONValue {
    fileprivate func shown(_ name: StaticString) -> String { self[name]?.string ?? "" }

    /// Returns a sum of costs, marked if requests without a price make it a lower bound.
    fileprivate func cost(_ name: StaticString, _ unpriced: StaticString) -> String {
        let cost = shown(name)
        return cost.isEmpty || self[unpriced]?.integer ?? 0 == 0 ? cost : "≥ \(cost)"
    }

    /// Returns a member in seconds since 1970 as a time; empty if it is missing.
    fileprivate func moment(_ name: StaticString) -> String {
        self[name]?.integer.map { Timestamp.text(second: Int($0)) } ?? ""
    }
}
