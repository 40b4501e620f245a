import Limits
import Testing

@testable import Shared

/// Tests of groups of known callers, as settings define them.
@Suite struct GroupsTests {
    private static let members = "PROVIDER_E_KIND=echo\nKEY_A_TOKEN=token-a\nKEY_B_TOKEN=token-b\n"

    private func read(_ file: String) -> Settings.Outcome { outcome(file: Self.members + file) }

    @Test("a key belongs to the groups that it names, and has their limits besides its own")
    func members() throws {
        let outcome = read(
            """
            KEY_A_GROUP=eng, Night-Shift,eng
            KEY_A_RATE_LIMIT=5/minute
            KEY_B_GROUP=ENG
            GROUP_ENG_RATE_LIMIT=100/hour
            GROUP_ENG_RATE_LIMIT_CHAT=50/hour
            GROUP_NIGHT_SHIFT_MODELS=gpt*
            """
        )
        #expect(outcome.problemTexts == [])
        let keys = try #require(outcome.settings).keys
        #expect(keys.map { $0.groups.map(\.name) } == [["eng", "night-shift"], ["eng"]])
        #expect(keys[1].groups == [keys[0].groups[0]])
        #expect(keys[0].groups[0].limits.all == [Quota(100, per: .hour)])
        #expect(keys[0].groups[0].limits.endpoints == [.chat: [Quota(50, per: .hour)]])
        #expect(keys[0].groups[1].models == [.beginning("gpt")])
        #expect(keys[0].groups[0].identity != .knownKey(named: "ENG"))
        let limits = LimitBook(try #require(outcome.settings)).possibleLimits(of: Caller(known: keys[0]), models: [])
        let own = limits.map(\.charge.limit).filter { $0.kind == .key(nil) || $0.group != nil }
        #expect(own.map(\.id) == ["key.requests.60", "group.chat.requests.3600", "group.requests.3600"])
        #expect(own.map(\.group) == [nil, "eng", "eng"])
        #expect(own.map(\.text)[1...] == ["group.chat eng: 50 requests per hour", "group eng: 100 requests per hour"])
    }

    @Test("two groups of one key have records of their own, and two keys of one group share one")
    func records() throws {
        let limits = "GROUP_ENG_RATE_LIMIT=1/hour\nGROUP_OPS_RATE_LIMIT=1/hour\n"
        let settings = try #require(read("KEY_A_GROUP=eng,ops\nKEY_B_GROUP=eng\n" + limits).settings)
        let book = LimitBook(settings)
        let records = settings.keys.map { key in
            book.possibleLimits(of: Caller(known: key), models: []).filter { $0.charge.limit.group != nil }
                .map(\.charge.record)
        }
        #expect(Set(records[0]).count == 2 && records[1] == [records[0][0]])
    }

    @Test("a model must be permitted by the key and by each of its groups")
    func models() throws {
        let settings = try #require(
            read(
                """
                KEY_A_MODELS=gpt*,o3
                KEY_A_GROUP=eng,ops
                KEY_B_GROUP=ops
                GROUP_ENG_MODELS=gpt-4*,o3,claude
                GROUP_OPS_RATE_LIMIT=1/hour
                """
            ).settings
        )
        let callers = settings.keys.map { Caller(known: $0) }
        let names = ["gpt-4o", "gpt-5", "o3", "claude"]
        #expect(names.filter { callers[0].mayUse($0, ofPassthrough: false) } == ["gpt-4o", "o3"])
        #expect(names.filter { callers[1].mayUse($0, ofPassthrough: false) } == names)
        #expect(callers[0].isPermitted(exactly: "o3") && !callers[0].isPermitted(exactly: "gpt-4o"))
        #expect(callers[1].mayUseAllModels && !callers[0].mayUseAllModels)
        #expect(callers[0].allowingAllModels(ifAllowed: "o3").mayUseAllModels)
        #expect(!callers[0].allowingAllModels(ifAllowed: "gpt-5").mayUse("gpt-5", ofPassthrough: false))
    }

    @Test("a key leaves the group of all keys")
    func leaves() throws {
        let outcome = read("KEY_DEFAULT_GROUP=eng\nKEY_B_GROUP=Off\nGROUP_ENG_RATE_LIMIT=1/hour")
        #expect(outcome.problemTexts == [])
        #expect(outcome.settings?.keys.map { $0.groups.map(\.name) } == [["eng"], []])
    }

    @Test(
        "a group without a key, and a key's group without a setting, are problems",
        arguments: [
            (
                "GROUP_ENG_RATE_LIMIT=1/hour",
                "GROUP_ENG_RATE_LIMIT: no key belongs to this group; set KEY_<NAME>_GROUP=eng"
            ),
            (
                "KEY_A_GROUP=night-shift",
                "KEY_A_GROUP: no setting of a group \"night-shift\" exists; set its limits, as in GROUP_NIGHT_SHIFT_RATE_LIMIT=500 usd/30 days"
            ),
            (
                "KEY_A_GROUP=eng\nKEY_B_GROUP=emg\nGROUP_ENG_MODELS=all",
                "KEY_B_GROUP: no setting of a group \"emg\" exists; did you mean eng?"
            ),
            (
                "KEY_A_GROUP=off\nGROUP_OFF_MODELS=all",
                "KEY_A_GROUP: off means no group, but the settings GROUP_OFF_... declare one; give it another name"
            ),
            ("KEY_A_GROUP=eng\nGROUP_ENG_RATE_LIMIT=x", "GROUP_ENG_RATE_LIMIT: \"x\" is not off or limits"),
            ("KEY_A_GROUP=eng\nGROUP_ENG_RATE_LIMIT=5 usd/day", "GROUP_ENG_RATE_LIMIT: no provider has a price"),
        ]
    )
    func problems(file: String, expected: String) {
        let texts = read(file).problemTexts
        #expect(texts.count == 1 && texts.first?.contains(expected) == true, "\(texts)")
    }
}
