import Engine
import Shared
import Upstream

/// Handles GET /admin/provider: lists one row for each model of each provider.
func listProviders(_ visit: AdminVisit) async throws(APIError) {
    let gateway = visit.gateway
    let figures = gateway.process.figures.withLock { $0 }?.figures().providers ?? []
    var rows: [JSONFragment] = []
    for (index, provider) in gateway.settings.providers.enumerated() {
        let recent = figures.first { $0.name == provider.name }
        for model in provider.models.isEmpty ? [nil] : provider.models.map(Optional.some) {
            let state = gateway.registry.state(of: index, model: model?.upstream ?? "")
            rows.append(row(provider, model, state: state, recent: recent, at: gateway.loop.now))
        }
    }
    visit.send(rows, total: rows.count)
}

private func row(
    _ provider: ProviderSettings,
    _ model: ModelName?,
    state: ProviderState,
    recent: RecentFigures.Provider?,
    at now: LoopTime
) -> JSONFragment {
    let errors = (recent?.failures ?? []).map { (name: $0.cause, value: "\($0.count)" as JSONFragment) }
    return #"""
        {"name":\#(provider.name),"provider":\#(provider.kind.rawValue),"mapped_model":\#(model?.alias),\#
        "original_model":\#(model?.upstream),"base_url":\#(provider.baseURL),\#
        "api_key":\#(provider.apiKeys.map(\.masked).joined(separator: ", ")),\#
        "weight":\#(provider.rank.weight(of: model?.alias ?? "")),"priority":\#(provider.rank.priority),\#
        "cost":\#(provider.prices.setting(of: model?.alias ?? "")?.text),"state":\#(state.text(at: now)),\#
        \#(trouble: state.trouble, at: now),\#
        "keys":\#(state.keys, each: {
            #"{"name":\#($0.name),"weight":\#($0.weight),"state":\#($0.text(at: now)),\#(trouble: $0.trouble, at: now)}"#
        }),\#
        "p50_ms":\#(recent?.durations?.p50),"p95_ms":\#(recent?.durations?.p95),"errors":{\#(members: errors)}}
        """#
}

extension ProviderState {
    /// Returns the state in words, such as `ok`, `full`, `unavailable` or `cooldown until 2026-01-31T12:00:00Z`.
    ///
    /// `unavailable` means that the circuit breaker or a cooldown ended, but no call has been served since.
    func text(at now: LoopTime) -> String {
        if let end = opensUntil { return "circuit open until \(wallTime(of: end, at: now))" }
        if !keys.isEmpty, let end = cooldownUntil { return "cooldown until \(wallTime(of: end, at: now))" }
        let hasNoKey = !keys.isEmpty && keys.allSatisfy { $0.isUntried || $0.cooldownUntil != nil }
        if trouble != nil || hasNoKey { return "unavailable" }
        return isFull ? "full" : "ok"
    }

    /// Returns the state of the provider for the overview, with the keys that are not used.
    func summary(of provider: String, at now: LoopTime) -> JSONFragment {
        let bad = keys.filter { $0.isUntried || $0.cooldownUntil != nil }
        return #"""
            {"name":\#(provider),"state":\#(text(at: now)),\#(trouble: trouble, at: now),"keys":\#(keys.count),\#
            "bad_keys":\#(bad, each: {
                #"{"name":\#($0.name),"state":\#($0.text(at: now)),\#(trouble: $0.trouble, at: now)}"#
            })}
            """#
    }
}

extension JSONFragment.StringInterpolation {
    /// Appends the members `reason` and `since`, which are null without trouble.
    fileprivate mutating func appendInterpolation(trouble: ProviderState.Trouble?, at now: LoopTime) {
        let since = trouble.map { (Timestamp.now() - now.milliseconds(since: $0.beganAt)) / 1_000 }
        let members: JSONFragment = #""reason":\#(trouble?.cause),"since":\#(since)"#
        appendInterpolation(members)
    }
}

extension ProviderState.Key {
    fileprivate func text(at now: LoopTime) -> String {
        if let end = cooldownUntil { return "cooldown until \(wallTime(of: end, at: now))" }
        return isUntried ? "unavailable" : isFull ? "full" : "ok"
    }
}

private func wallTime(of time: LoopTime, at now: LoopTime) -> String {
    Timestamp.text(second: (Timestamp.now() + time.milliseconds(since: now)) / 1_000)
}

/// Handles POST /admin/provider/{name}/resume: ends the cooldown of one key or all keys of a provider.
///
/// Without a key, the provider's circuit breakers are also closed.
func resumeProvider(_ visit: AdminVisit) async throws(APIError) {
    let key = try await visit.body { (root) throws(APIError) in try root.string("key", "body") }
    let name = visit.value("name")
    guard let index = visit.gateway.settings.providers.firstIndex(where: { $0.name == name }) else {
        throw APIError(404, "There is no provider of this name.")
    }
    guard visit.gateway.registry.resume(index, key: key) else {
        throw APIError(404, "The provider has no key of this name.")
    }
    visit.admin.board.add(InstanceOrder(.resume, name, key: key))
    visit.record("resume provider", key.map { "\(name) \($0)" } ?? name)
    visit.sendDone("Resumed")
}
