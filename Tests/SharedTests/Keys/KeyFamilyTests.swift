import Support
import Testing

@testable import Engine
@testable import Shared

@Suite struct KeyFamilyTests {
    private static let secret = "a-secret-of-a-class-0123456789-0123456789"

    private func family(
        _ secrets: [String] = [secret],
        revoked: [String] = [],
        zone: DayZone = .utc
    ) -> KeyFamily {
        KeyFamily(name: "class-a", secrets: secrets, revoked: revoked, zone: zone)
    }

    private func code(_ key: String, _ family: KeyFamily) -> String? {
        do throws(APIError) {
            _ = try family.member(of: key)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("a key has this form, with a MAC that another program computed")
    func form() throws {
        // printf 'relay-key 1\0class-a\0ann\00\0' | openssl dgst -sha256 -hmac SECRET -binary | head -c16 | basenc --base64url
        #expect(family().key(of: "ann", last: nil) == "rk-class-a.ann.0.yMfWTDZ3PheWY-Ag978dmw")
        let day = try #require("2027-02-01".withBytes { Day($0) })
        #expect(family().key(of: "b_o-b", last: day) == "rk-class-a.b_o-b.20850.NWB2CjJvQ6xyWwlFWaR8tA")
    }

    @Test("each key is its member's, until the end of its last day")
    func members() throws {
        let day = try #require("2027-02-01".withBytes { Day($0) })
        let ann = try family().member(of: family().key(of: "ann", last: nil))
        #expect(ann.name == "ann" && ann.endsAt == nil)
        let bob = try family().member(of: family().key(of: "bob", last: day))
        #expect(bob.name == "bob" && bob.endsAt == 20_851 * 86_400_000)
        let berlin = family(zone: DayZone(named: "Europe/Berlin"))
        #expect(try berlin.member(of: berlin.key(of: "bob", last: day)).endsAt == 20_851 * 86_400_000 - 3_600_000)
    }

    @Test("no change of one byte is accepted, and nothing traps")
    func forgeries() {
        let key = family().key(of: "ann", last: Day(number: 30_000))
        let bytes = Array(key.utf8)
        for place in bytes.indices.dropFirst(3) {
            for byte in UInt8(33)...126 where byte != bytes[place] {
                var forged = bytes
                forged[place] = byte
                let text = String(decoding: forged, as: UTF8.self)
                #expect(code(text, family()) == "invalid_api_key", "\(text)")
            }
            #expect(code(String(decoding: bytes[..<place], as: UTF8.self), family()) == "invalid_api_key")
        }
        #expect(code(key + "A", family()) == "invalid_api_key" && code(key + ".", family()) == "invalid_api_key")
        let other = KeyFamily(name: "class-b", secrets: [Self.secret], revoked: [], zone: .utc)
        #expect(code(other.key(of: "ann", last: nil), family()) == "invalid_api_key", "the name is signed")
    }

    @Test(
        "days and members have one spelling",
        arguments: [
            "ann.00", "ann.-1", "ann.+1", "ann.99999999", "ann.", "Ann.0", ".0", "a n.0",
            "\(String(repeating: "a", count: 65)).0",
        ]
    )
    func spelling(_ text: String) {
        // Signed as it is written, so that only its form is wrong.
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let signed = "relay-key 1\0class-a\0\(parts[0])\0\(parts[1])\0"
        let mac = Base64.url.text(Array(hmac(key: Array(Self.secret.utf8), Array(signed.utf8)).prefix(16)))
        #expect(code("rk-class-a.\(text).\(mac)", family()) == "invalid_api_key")
    }

    @Test("a former secret still accepts, and only the first one makes keys")
    func formerSecret() {
        let before = "the-former-secret-of-the-class-0123456789"
        let old = family([before]).key(of: "ann", last: nil)
        #expect(code(old, family([Self.secret, before])) == nil && code(old, family()) == "invalid_api_key")
        #expect(family([Self.secret, before]).key(of: "ann", last: nil) == family().key(of: "ann", last: nil))
    }

    @Test("members are revoked, or one key of theirs")
    func revocation() {
        let revoking = family(revoked: ["ann", "bob.20850"])
        func key(_ member: String, _ days: Int) -> String { family().key(of: member, last: Day(number: days)) }
        #expect(code(key("ann", 0), revoking) == "key_revoked" && code(key("ann", 20_900), revoking) == "key_revoked")
        #expect(code(key("bob", 20_850), revoking) == "key_revoked")
        #expect(code(key("bob", 20_851), revoking) == nil && code(key("bobby", 20_850), revoking) == nil)
        #expect(["ann", "bob.20850", "a-_9"].allSatisfy(KeyFamily.isRevocation))
        #expect(!["", "Ann", "bob.", "bob.x", "bob.1.2", ".5"].contains(where: KeyFamily.isRevocation))
    }
}
