import Glibc
import Limits
import Support
import Testing

@testable import Engine
@testable import Routes
@testable import Shared

@Suite struct ForgedKeysTests {
    private static let count = getenv("FORGED_KEYS").flatMap { Int(String(cString: $0)) } ?? 10_000

    private static let settings = [
        ("PROVIDERS", "v"), ("PROVIDER_V_KIND", "openai"), ("PROVIDER_V_BASE_URL", "http://127.0.0.1:1"),
        ("PROVIDER_V_MODELS", "m"), ("PROVIDER_V_PASSTHROUGH", "true"), ("ANONYMOUS_MODELS", "all"),
        ("KEY_CLASS_SECRET", "a-secret-of-a-class-0123456789-0123456789"),
        ("KEY_CLASS_SECRET_BEFORE", "a-former-secret-of-a-class-0123456789-0123"),
        ("KEY_OTHER_SECRET", "a-secret-of-others-0123456789-0123456789"),
    ]

    @Test("no forged key is accepted, or served as a stranger's, and none is kept")
    func forgeries() async {
        await onLoop { loop in
            let host = RouterHost(Self.settings, on: loop) { _, _ in LittleVendor() }
            defer { host.stop() }
            let (callers, keys) = (host.gateway.callers, host.gateway.settings.keys)
            guard let family = keys.named("class")?.family, let other = keys.named("other")?.family else {
                Issue.record("no families")
                return
            }
            var random = Seeded(79)
            var accepted: [String] = []
            for number in 0..<Self.count {
                let (member, day) = ("m\(number)", number % 3 == 0 ? nil : Day(number: 30_000 + number % 100))
                let parts = family.key(of: member, last: day).split(separator: ".").map(String.init)
                let key: [String] =
                    switch number % 6 {
                    case 0: [parts[0], "n\(number)", parts[2], parts[3]]
                    case 1: [parts[0], parts[1], "\(40_000 + number)", parts[3]]
                    case 2: [parts[0], parts[1], parts[2], Self.changed(parts[3], &random)]
                    case 3: [parts[0], parts[1], parts[2], String(parts[3].dropLast(1 + number % 22))]
                    case 4: [parts[0], parts[1], parts[2], String(other.key(of: member, last: day).suffix(22))]
                    default: [parts[0], parts[1], parts[2], Self.mac(&random)]
                    }
                let text = key.joined(separator: ".")
                let request = host.request("{}", "Authorization: Bearer \(text)\r\n")
                do throws(APIError) {
                    _ = try callers.caller(of: request)
                    accepted.append(text)
                } catch {
                    if error.code != "invalid_api_key" || !error.isWrongKey { accepted.append(text) }
                }
            }
            #expect(accepted.isEmpty, "\(accepted.prefix(5))")
            #expect(callers.members.count == 0 && callers.passing.count == 0)
            let genuine = host.request("{}", "Authorization: Bearer \(family.key(of: "ann", last: nil))\r\n")
            #expect((try? callers.caller(of: genuine))?.caller.name == "class.ann" && callers.members.count == 1)
        }
    }

    @Test(
        "two different keys are refused, in whichever headers",
        arguments: ["x-api-key", "api-key", "x-goog-api-key"]
    )
    func differing(name: String) async {
        await onLoop { loop in
            let host = RouterHost(Self.settings, on: loop) { _, _ in LittleVendor() }
            defer { host.stop() }
            for (key, code) in [("one-key-0123", nil), ("other-key-012", "ambiguous_api_key")] {
                let request = host.request("{}", "Authorization: Bearer one-key-0123\r\n\(name): \(key)\r\n")
                do throws(APIError) {
                    _ = try host.gateway.callers.caller(of: request)
                    #expect(code == nil)
                } catch {
                    #expect(error.code == code)
                }
            }
        }
    }

    /// Returns a MAC with another character at one place.
    private static func changed(_ mac: String, _ random: inout Seeded) -> String {
        var bytes = Array(mac.utf8)
        let place = random.below(bytes.count)
        let other = alphabet[random.below(63)]
        bytes[place] = other == bytes[place] ? alphabet[63] : other
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func mac(_ random: inout Seeded) -> String {
        String(decoding: (0..<22).map { _ in alphabet[random.below(64)] }, as: UTF8.self)
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
}
