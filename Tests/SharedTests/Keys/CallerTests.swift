import Engine
import Limits
import Testing

@testable import Shared

@Suite struct CallerTests {
    private func known(_ file: String) throws -> [Caller] {
        let settings = outcome(file: "PROVIDER_E_KIND=echo\n" + file).settings
        return try #require(settings).keys.map { Caller(known: $0) }
    }

    @Test("a known caller is its NAME, whatever its tokens are")
    func byName() throws {
        let one = try known("KEY_TEAM_A_TOKEN=token-one")[0]
        #expect(try known("KEY_TEAM_A_TOKEN=token-two,token-one")[0].identity == one.identity)
        #expect(try known("KEY_TEAM_B_TOKEN=token-one")[0].identity != one.identity)
        #expect(one.identity == .knownKey(named: "TEAM_A"))
    }

    @Test("who brings a known caller's NAME as a key shares nothing with it")
    func kinds() throws {
        let (one, name) = (try known("KEY_TEAM_TOKEN=token-one")[0], Digest(of: "TEAM"))
        #expect(Caller(passingOn: "TEAM", name, models: []).identity != one.identity)
        let (team, passed) = (try #require(one.identity), Identity.passedKey(name))
        #expect(team.digest != passed.digest && team.text != passed.text)
        let content = Digest(of: "a")
        let keys = [one, Caller(passingOn: "TEAM", name, models: [])]
            .map { AssetCache.Key(content, of: $0, account: content) }
        #expect(keys[0] != keys[1])
    }
}
