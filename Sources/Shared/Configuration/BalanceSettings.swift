package import Limits

/// The settings that decide which provider serves a request if several providers have the requested model.
package struct BalanceSettings: Sendable, Equatable {
    package enum Order: String, CaseIterable, Sendable {
        /// Providers take turns. Each gets as many requests in a row as its weight says.
        case sequence
        /// Providers take turns according to their weights.
        case smooth
        /// The provider with the most free capacity gets the request.
        case leastLoad = "least-load"
    }

    package enum Scope: String, CaseIterable, Sendable {
        /// The providers take turns for each caller separately.
        case caller
        case global
    }

    /// A property of a request that decides which provider serves it. Requests with an equal value go to the same
    /// provider and key.
    package enum Affinity: String, CaseIterable, Sendable {
        case promptCacheKey = "prompt_cache_key"
        case user
        /// The session of an agent, which header fields such as `X-Claude-Code-Session-Id` name. Without effect if the
        /// order is `least-load`.
        case session
        /// The beginning of the prompt: the system text, the tools and the first user message.
        case prefix
    }

    package var order = Order.sequence
    package var scope = Scope.caller
    /// Whether the relay calls the next provider after a failure.
    package var fallsBack = true
    /// The largest number of candidates that the relay tries for one request; 0 means all candidates.
    package var attempts = 0
    package var deadline = Duration.seconds(600)
    /// The number of consecutive failures that open the circuit breaker of a candidate.
    package var failures = 3
    package var breakTime = Duration.seconds(60)
    /// The longest time that a request waits for free capacity of its providers.
    package var queueTime = Duration.zero
    /// The longest time that a request waits if limits have no room, or if a limit of each of its vendors refuses it.
    package var patience = Duration.zero
    /// Whether requests of some caller may wait for limits.
    package var isPatient = false
    /// The request properties that decide the provider, by precedence; empty if no property decides.
    package var affinity: [Affinity] = [.session]

    package init() {}

    init(_ reader: SettingsReader) {
        order = reader.word("BALANCE") ?? .sequence
        scope = reader.word("BALANCE_SCOPE") ?? .caller
        fallsBack = reader.boolean("FALLBACK")
        attempts = reader.number("FALLBACK_ATTEMPTS")
        deadline = reader.duration("FALLBACK_DEADLINE")
        failures = reader.number("BREAKER_FAILURES")
        breakTime = reader.duration("BREAKER_SECONDS")
        queueTime = reader.duration("QUEUE_TIMEOUT")
        patience = reader.duration("RATE_LIMIT_WAIT")
        let ofKeys = reader.instances(of: "KEY_").compactMap(reader.patience)
        isPatient = ([patience] + ofKeys).contains { $0 > .zero }
        affinity = reader.list("AFFINITY").compactMap(Affinity.init)
        if order == .leastLoad { affinity.removeAll { $0 == .session } }
    }
}

extension SettingsReader {
    /// Returns the patience of a known caller's requests; nil if RATE_LIMIT_WAIT applies.
    func patience(of instance: String) -> Duration? { value(KeySettings.key(instance, "RATE_LIMIT_WAIT")) }
}

/// The limits of upstream calls for each key of a provider. A limit counts the calls of all instances together.
package struct CapacitySettings: Sendable, Equatable {
    /// The largest number of upstream calls that may start in a window; nil if unlimited.
    package var starts: Quota?
    /// The largest number of concurrent upstream calls; nil if there is no limit.
    package var calls: Quota?

    package init() {}

    init(_ instance: String, _ reader: SettingsReader) {
        self.init()
        starts = reader.value(ProviderSettings.key(instance, "QPS")).map(Self.starts)
        let calls = reader.number(ProviderSettings.key(instance, "CONCURRENCY"))
        if calls > 0 { self.calls = Quota(calls, .concurrent, per: .second) }
    }

    /// Returns a quota that lets `rate` upstream calls start per second. The rate may be a fraction.
    private static func starts(perSecond rate: Double) -> Quota {
        let thousandths = Int((rate * 1_000).rounded())
        var (a, b) = (thousandths, 1_000)
        while b > 0 { (a, b) = (b, a % b) }
        return Quota(thousandths / a, per: .second, times: 1_000 / a)
    }
}

extension ProviderRank {
    init(_ instance: String, _ reader: SettingsReader) {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(instance, field) }
        self.init()
        weight = reader.value(key("WEIGHT")) ?? 1
        weights = reader.value(key("WEIGHTS")) ?? [:]
        priority = reader.number(key("PRIORITY"))
        retries = reader.number(key("RETRIES"))
    }
}

extension SettingSection {
    static let balance = SettingSection(
        "Several providers of one model",
        SettingRow("BALANCE", .choice(of: BalanceSettings.Order.self), BalanceSettings.Order.sequence.rawValue)
            .help(
                "order of providers with the same priority; smooth: same shares, interleaved; least-load: most free capacity first"
            ),
        SettingRow("BALANCE_SCOPE", .choice(of: BalanceSettings.Scope.self), BalanceSettings.Scope.caller.rawValue)
            .help("scope of the order; global: all callers share it"),
        SettingRow("AFFINITY", .options(of: BalanceSettings.Affinity.self), BalanceSettings.Affinity.session.rawValue)
            .help("send requests with the same value to the same provider and key; the first one that is present wins"),
        SettingRow("RATE_LIMIT_WAIT", .duration(.zero ... .seconds(600)), "0")
            .help(
                "longest time that a request waits for its turn if limits have no room, or while all its vendors refuse it (429)"
            ),
        SettingRow("QUEUE_TIMEOUT", .duration(.zero ... .seconds(3_600)), "0")
            .help("longest time that a call waits for free capacity of its providers"),
        SettingRow("FALLBACK", .boolean, "true").help("false: do not try another provider after a failure"),
        SettingRow("FALLBACK_ATTEMPTS", .number(0...1_000), "0")
            .help("maximum number of candidates that are tried for a request; 0: all"),
        SettingRow("FALLBACK_DEADLINE", .duration(.milliseconds(1) ... .seconds(86_400)), "600")
            .help("time after which a request with several candidates fails unless a response has begun"),
        SettingRow("BREAKER_FAILURES", .number(1...1_000), "3")
            .help("consecutive failures that open the circuit breaker of a candidate"),
        SettingRow("BREAKER_SECONDS", .duration(.milliseconds(1) ... .seconds(86_400)), "60")
            .help("time that the circuit breaker stays open; then one request probes the candidate")
    )
}
