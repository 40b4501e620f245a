/// The choice between providers of one model.
package struct BalanceSettings: Sendable, Equatable {
    package enum Order: String, CaseIterable, Sendable {
        /// Each as many times in a row as its weight says.
        case sequence
        /// The same shares, as evenly as can be.
        case smooth
    }

    package enum Scope: String, CaseIterable, Sendable {
        /// Each caller has turns of their own.
        case caller
        case global
    }

    package var order = Order.sequence
    package var scope = Scope.caller
    /// After a failure another provider is asked.
    package var fallsBack = true
    /// Candidates that one request may ask; 0: all.
    package var attempts = 0
    package var deadline = Duration.seconds(600)
    /// Failures in a row that put a candidate last, and the time for which they do.
    package var failures = 3
    package var breakTime = Duration.seconds(60)

    package init() {}

    init(_ reader: SettingsReader) {
        order = reader.text("BALANCE").flatMap(Order.init) ?? .sequence
        scope = reader.text("BALANCE_SCOPE").flatMap(Scope.init) ?? .caller
        fallsBack = reader.boolean("FALLBACK")
        attempts = reader.number("FALLBACK_ATTEMPTS")
        deadline = reader.duration("FALLBACK_DEADLINE")
        failures = reader.number("BREAKER_FAILURES")
        breakTime = reader.duration("BREAKER_SECONDS")
    }
}

extension ProviderRank {
    init(_ instance: String, _ reader: SettingsReader) {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(instance, field) }
        self.init()
        weight = reader.weights(key("WEIGHT")).first ?? 1
        weights = reader.modelWeights(key("WEIGHTS"))
        priority = reader.number(key("PRIORITY"))
        retries = reader.number(key("RETRIES"))
    }
}

extension SettingSection {
    static let balance = SettingSection(
        "Several providers of one model",
        [
            SettingRow(
                "BALANCE",
                .choice(BalanceSettings.Order.allCases.map(\.rawValue)),
                BalanceSettings.Order.sequence.rawValue,
                "order within a priority; smooth: the same shares, interleaved"
            ),
            SettingRow(
                "BALANCE_SCOPE",
                .choice(BalanceSettings.Scope.allCases.map(\.rawValue)),
                BalanceSettings.Scope.caller.rawValue,
                "global: all callers share one order"
            ),
            SettingRow("FALLBACK", .boolean, "true", "false: no other provider is asked after a failure"),
            SettingRow("FALLBACK_ATTEMPTS", .number(0...1_000), "0", "most candidates that a request asks; 0: all"),
            SettingRow(
                "FALLBACK_DEADLINE",
                .duration(.milliseconds(1) ... .seconds(86_400)),
                "600",
                "time within which the answer of one of several candidates must begin"
            ),
            SettingRow("BREAKER_FAILURES", .number(1...1_000), "3", "failures in a row that put a candidate last"),
            SettingRow(
                "BREAKER_SECONDS",
                .duration(.milliseconds(1) ... .seconds(86_400)),
                "60",
                "time for which it stays last; then one request tries it"
            ),
        ]
    )
}
