import Engine
import Limits
import Testing

@testable import Shared

/// Tests of what a request demands of the limits, without a request.
@Suite struct DemandTests {
    private let settings = outcome(
        file: """
            PROVIDER_E_KIND=echo
            KEY_A_TOKEN=token-a
            KEY_A_GROUP=eng
            KEY_A_RATE_LIMIT=5/minute
            GROUP_ENG_RATE_LIMIT=100/hour
            RATE_LIMIT_SESSION=7/minute
            RATE_LIMIT_USER=8/minute
            RATE_LIMIT_USER_FROM=user
            RATE_LIMIT_BY_MODEL=gpt-4*=9/minute;1000 tokens/minute
            RATE_LIMIT_TOTAL=200/hour
            """
    )

    private func demand(_ change: (inout Demand) -> Void = { _ in }) throws -> (LimitBook, Demand) {
        let settings = try #require(settings.settings, "\(settings.problemTexts)")
        var demand = Demand(caller: Caller(known: settings.keys[0]), group: .chat)
        change(&demand)
        return (LimitBook(settings), demand)
    }

    @Test("a limit names a model by either of its names")
    func names() throws {
        let (book, demand) = try demand { demand in
            demand.model = "labs/gpt-4o"
            demand.modelShortName = "gpt-4o"
        }
        let kinds = book.applicableLimits(demand).charges(of: Amounts(tokens: 1)).map(\.limit.kind.name)
        #expect(kinds.contains("model"))
    }

    @Test("a demand has the limits of its caller, groups, session, user and model")
    func all() throws {
        let (book, demand) = try demand { demand in
            demand.model = "gpt-4o"
            demand.session = Digest(of: "a session")
            demand.user.add(EndUser(user: "ann"))
        }
        let names = book.applicableLimits(demand).charges(of: Amounts(tokens: 1)).map { $0.limit.kind.name }
        for name in ["key", "group", "session", "user", "model", "total"] { #expect(names.contains(name), "\(names)") }
    }

    @Test("without session, user or model, their limits do not apply")
    func fewer() throws {
        let (book, demand) = try demand()
        let names = book.applicableLimits(demand).charges(of: Amounts(tokens: 1)).map { $0.limit.kind.name }
        #expect(names.contains("key") && names.contains("total"))
        for name in ["session", "user", "model"] { #expect(!names.contains(name), "\(names)") }
    }

    @Test(
        "the sessions of Claude Code are of one end user",
        arguments: [
            ("user_9f86_account_1111-22_session_aa-1", "user_9f86_account_1111-22_session_bb-2", true),
            ("user_9f86_account__session_aa-1", "user_9f86_account__session_bb-2", true),
            ("user_9f86_account_1111-22_session_aa-1", "user_9f86_account_3333-44_session_aa-1", false),
            (
                #"{"device_id":"9","account_uuid":"1","session_id":"a"}"#,
                #" {"account_uuid":"1","device_id":"8","session_id":"b"}"#,
                true
            ),
            (#"{"device_id":"9","account_uuid":"1"}"#, #"{"device_id":"9","account_uuid":"2"}"#, false),
            (#"{"device_id":"9","account_uuid":"","session_id":"a"}"#, #"{"session_id":"b","device_id":"9"}"#, true),
            (#"{"device_id":"9","account_uuid":null}"#, #"{"device_id":"8","account_uuid":null}"#, false),
            (#"{"device_id":"9","user":"ann"}"#, #"{"device_id":"9","user":"bob"}"#, false),
            (#"{"session_id":"a"}"#, #"{"session_id":"b"}"#, false), ("{", #"{""#, false),
            ("guest_session_1", "guest_session_2", false), ("user_1_session_1", "user_1_session_2", false),
        ]
    )
    func sessionsOfOneUser(one: String, other: String, areOneUser: Bool) {
        let digests = [one, other].map { EndUser(user: $0).digest(at: [.user]) }
        #expect((digests[0] == digests[1]) == areOneUser && digests[0] != nil)
        #expect(EndUser(safetyIdentifier: one).digest(at: [.safetyIdentifier]) == Digest(of: one))
    }

    @Test("a part of a request counts in the limits of its model alone, and not as a request")
    func part() throws {
        let (book, demand) = try demand { $0.model = "gpt-4o" }
        let charges = book.limitsOfPartialCall(demand).charges(of: Amounts(tokens: 3))
        #expect(charges.map(\.limit.quota.unit) == [.tokens])
        let (other, unnamed) = try self.demand()
        #expect(other.limitsOfPartialCall(unnamed).charges(of: Amounts(tokens: 3)).isEmpty)
    }
}
