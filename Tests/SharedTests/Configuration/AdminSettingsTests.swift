import Limits
import Testing

@testable import Shared

@Suite struct AdminSettingsTests {
    private static let zones = [
        "/usr/share/zoneinfo/Europe/Berlin": "TZif2", "/usr/share/zoneinfo/tzdata.zi": "# no zone",
    ]

    private func admin(_ variables: (String, String)...) -> Settings.Outcome {
        outcome(environment: variables, files: Self.zones)
    }

    @Test("without a password there are no admin pages, and their other settings do nothing")
    func isOff() {
        #expect(admin().settings?.admin == nil)
        let some = admin(("ADMIN_USERNAME", "root"), ("ADMIN_LOG_BODIES", "true"), ("ADMIN_TIMEZONE", "UTC"))
        #expect(some.settings != nil && some.settings?.admin == nil)
        #expect(
            some.warningTexts == [
                "environment  ADMIN_USERNAME: has no effect without ADMIN_PASSWORD",
                "environment  ADMIN_LOG_BODIES: has no effect without ADMIN_PASSWORD",
            ]
        )
    }

    @Test("with a password all of them are read, and whoever is logged in may reload settings")
    func isOn() {
        let some = admin(
            ("ADMIN_PASSWORD", "correct horse"),
            ("ADMIN_LOG_ENTRIES", "5"),
            ("ADMIN_TIMEZONE", "Europe/Berlin"),
            ("ADMIN_SESSION_SECRET", "0123456789abcdef"),
            ("ADMIN_LISTEN", "[::1]:5002")
        )
        let settings = some.settings?.admin
        #expect(settings?.username == "admin" && settings?.records == 5 && settings?.bodyLimitBytes == nil)
        let bodies = admin(("ADMIN_PASSWORD", "correct horse"), ("ADMIN_LOG_BODIES", "true"), ("ADMIN_BODY_KB", "2"))
        #expect(bodies.settings?.admin?.bodyLimitBytes == 2_048)
        #expect(some.settings?.timeZone == "Europe/Berlin" && settings?.sessionHours == 168)
        #expect(settings?.sessionSecret == "0123456789abcdef")
        #expect(some.effective.first { $0.name == "ADMIN_PASSWORD" }?.shown == "...")
        #expect(settings?.listener?.host == "::1" && settings?.listener?.port == 5_002)
        #expect(some.settings?.reloadAccess == .admin && some.warningTexts == [], "\(some.warningTexts)")
        #expect(admin(("ADMIN_PASSWORD", "correct horse"), ("RELOAD_ACCESS", "off")).settings?.reloadAccess == .off)
    }

    @Test(
        "the socket of the admin pages is not the public one",
        arguments: [
            ("127.0.0.1", "127.0.0.1:5001", true), ("0.0.0.0", "127.0.0.1:5001", true),
            ("127.0.0.1", "[::]:5001", true),
            ("127.0.0.1", "127.0.0.2:5001", false), ("0.0.0.0", "127.0.0.1:5002", false),
        ]
    )
    func listener(host: String, listen: String, isRefused: Bool) {
        let texts = admin(("ADMIN_PASSWORD", "correct horse"), ("HOST", host), ("ADMIN_LISTEN", listen)).problemTexts
        #expect(texts.contains { $0.contains("ADMIN_LISTEN: is the address that HOST and PORT give") } == isRefused)
        #expect(texts.isEmpty == !isRefused)
    }

    @Test("relays that share memcached are told to share the session secret, too")
    func sharedSecret() {
        let warnings = admin(("ADMIN_PASSWORD", "correct horse"), ("MEMCACHED_HOST", "cache")).warningTexts
        #expect(
            warnings.count == 1
                && warnings[0].contains("ADMIN_SESSION_SECRET: is not set, so a login is valid for one relay only")
        )
    }

    @Test(
        "common and short passwords are refused, in any case, and never shown",
        arguments: ["seven-7", "Password", "12345678", "CHANGEME", "abababab", "change-me"]
    )
    func poorPassword(_ password: String) {
        let texts = admin(("ADMIN_PASSWORD", password)).problemTexts
        #expect(texts.count == 1 && texts[0].hasPrefix("environment  ADMIN_PASSWORD: the value is not a password of 8"))
        #expect(!texts[0].contains(password))
    }

    @Test("a password that is the name, and a short secret, are refused")
    func refusals() {
        let texts = admin(
            ("ADMIN_USERNAME", "operator-1"),
            ("ADMIN_PASSWORD", "operator-1"),
            ("ADMIN_SESSION_SECRET", "short")
        ).problemTexts
        #expect(texts.count == 2)
        #expect(texts.contains("environment  ADMIN_PASSWORD: must differ from ADMIN_USERNAME"))
        #expect(
            texts.contains { $0.hasPrefix("environment  ADMIN_SESSION_SECRET: a secret of fewer than 16") },
            "\(texts)"
        )
    }

    @Test(
        "time zones are those of the machine, and UTC",
        arguments: ["UTC", "Europe/Berlin", "Europe/Paris", "tzdata.zi"]
    )
    func zones(_ name: String) {
        let isKnown = name == "UTC" || name == "Europe/Berlin"
        #expect((admin(("ADMIN_PASSWORD", "correct horse"), ("ADMIN_TIMEZONE", name)).settings != nil) == isKnown)
    }

    @Test("what is set for parts that are not there yet is warned of")
    func warnings() {
        let some = admin(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"), ("RELOAD_ACCESS", "admin"))
        #expect(some.settings?.traceURL == "http://collector:4318")
        #expect(
            some.warningTexts == [
                "environment  OTEL_EXPORTER_OTLP_ENDPOINT: this version does not support tracing yet: no traces are sent",
                "environment  RELOAD_ACCESS: admin allows nobody without ADMIN_PASSWORD; set ADMIN_PASSWORD, or use local",
            ]
        )
    }
}
