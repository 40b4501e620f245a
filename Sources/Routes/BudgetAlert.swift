import Engine
import Limits
import Shared

/// An alert about a budget that has reached a mark: a line of the log, and a message to `BUDGET_ALERT_URL`.
struct BudgetAlert: Sendable {
    let use: BudgetUse
    /// The name of the key whose budget it is; nil for a group's, or that of all callers together.
    let caller: String?

    /// The pauses before each try to post an alert, and the time for one try: less than 30 s in all.
    private static let pausesNanoseconds: [UInt64] = [0, 2_000_000_000, 8_000_000_000]
    private static let tryMilliseconds = 5_000
    /// The hosts of Microsoft Teams' workflows, which show nothing but adaptive cards.
    private static let teamsDomains = ["logic.azure.com", "powerplatform.com", "webhook.office.com"]

    private var quota: Quota { use.limit.quota }
    private var group: String? { use.limit.group }
    private var used: String { quota.amount(use.used) }
    private var resets: String { Timestamp.text(second: use.limit.resetSecond(after: use.resetMicroseconds)) }

    // MARK: The log

    func log(to log: Log) {
        log.warning("budget") { line in
            addBudget(to: &line)
            line.add("used", used)
            line.add("percent", use.percent)
            line.add("resets", resets)
        }
    }

    func logUnposted(to log: Log) {
        log.warning("an alert about a budget was not posted before the relay ended") { line in
            addBudget(to: &line)
            line.add("percent", use.percent)
        }
    }

    private func addBudget(to line: inout LogLine) {
        line.add(group == nil ? "caller" : "group", caller ?? group ?? "all callers together")
        line.add("limit", quota.textWithUnit)
    }

    // MARK: The message

    /// Returns the endpoint to which alerts are posted; nil if the settings name none.
    static func endpoint(_ settings: Settings) -> Endpoint? {
        guard let url = settings.budgetAlertURL else { return nil }
        var options = EndpointOptions()
        options.connectMilliseconds = tryMilliseconds
        options.firstByteMilliseconds = tryMilliseconds
        options.totalMilliseconds = tryMilliseconds
        options.proxy = settings.upstreamProxy ?? ""
        options.certificateFile = settings.certificateFile
        return Endpoint(url, options)
    }

    /// Posts the alert, at most three times. Returns the cause of the last failure; nil after a success.
    func post(to endpoint: Endpoint, _ own: LoopServices) async -> String? {
        let headers = UpstreamHeaders(["Content-Type: application/json", "User-Agent: relay"])
        let isTeams = Self.teamsDomains.contains { endpoint.isAt($0) }
        let body = Body(ByteBuffer(json: message(isTeams: isTeams)))
        var cause: String?
        for pause in Self.pausesNanoseconds {
            if pause > 0 { await own.loop.sleep(nanoseconds: pause) }
            do throws(TransportError) {
                let response = try await own.client.send(UpstreamCall(endpoint: endpoint, headers: headers, body: body))
                if response.head.status / 100 == 2 { return nil }
                cause = "the receiver answered \(response.head.status)"
            } catch {
                cause = error.cause
            }
        }
        return cause
    }

    private func message(isTeams: Bool) -> JSONFragment {
        let (text, resets, time) = (text, resets, Timestamp.text(second: Timestamp.now() / 1_000))
        return #"""
            {"text":\#(text),"event":"budget","caller":\#(caller),"group":\#(group),"limit":\#(quota.textWithUnit),\#
            "used":\#(number: used),"percent":\#(use.percent),"resets":\#(resets),"time":\#(time)\#
            \#(isTeams ? Self.card(text) : "")}
            """#
    }

    private var text: String {
        let whose = caller.map { "key \($0)" } ?? group.map { "group \($0)" } ?? "all callers together"
        let share = "\(used) of \(quota.amount(quota.count))"
        let standing =
            use.percent == 100 && use.used < quota.count
            ? "has too little left for a request: \(share) are used" : "is used to \(use.percent) %: \(share)"
        return "The budget of \(whose), \(quota.textWithUnit), \(standing). All of it is free again at \(resets)."
    }

    /// Returns the members that make a body a message of Microsoft Teams.
    private static func card(_ text: String) -> JSONFragment {
        #"""
        ,"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{\#
        "type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":\#(text),"wrap":true}]}}]
        """#
    }
}
