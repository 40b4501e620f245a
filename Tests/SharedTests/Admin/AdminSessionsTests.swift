import Engine
import Glibc
import Testing

@testable import Shared

@Suite struct AdminSessionsTests {
    private static let password = "correct horse"
    private let random = RandomBytes()

    private func settings(_ more: (String, String)...) throws -> AdminSettings {
        let variables = [("ADMIN_PASSWORD", Self.password), ("ADMIN_SESSION_SECRET", "0123456789abcdef")]
        let merged = Dictionary(variables + more) { $1 }
        let read = outcome(environment: merged.map { ($0.key, $0.value) })
        return try #require(read.settings?.admin, "\(read.problemTexts)")
    }

    private func sessions(_ settings: AdminSettings) -> AdminSessions {
        let sessions = AdminSessions(dataFolder: nil)
        sessions.use(settings)
        return sessions
    }

    private func isOpen(_ token: String, _ sessions: AdminSessions) -> Bool {
        token.withBytes { sessions.session(of: $0) != nil }
    }

    @Test("a token opens its session where secret, password and user are the same, and nowhere else")
    func tokens() throws {
        let own = sessions(try settings())
        let token = try #require(own.logIn(user: "admin", password: Self.password, random: random))
        #expect(isOpen(token, own))
        #expect(isOpen(token, sessions(try settings())))
        #expect(!isOpen(token, sessions(try settings(("ADMIN_PASSWORD", "another horse")))))
        #expect(!isOpen(token, sessions(try settings(("ADMIN_SESSION_SECRET", "0123456789abcdeF")))))
        #expect(!isOpen(token, sessions(try settings(("ADMIN_USERNAME", "root")))))
        own.use(nil)
        #expect(!isOpen(token, own))
        own.use(try settings(("ADMIN_PASSWORD", "another horse")))
        #expect(!isOpen(token, own))
    }

    @Test("no token with another bit, length or character opens anything")
    func changedTokens() throws {
        let own = sessions(try settings())
        let token = try #require(own.logIn(user: "admin", password: Self.password, random: random))
        let bytes = Array(token.utf8)
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] = changed[offset] == 65 ? 66 : 65
            #expect(!isOpen(String(decoding: changed, as: UTF8.self), own))
            #expect(!isOpen(String(decoding: bytes[..<offset], as: UTF8.self), own))
        }
        for text in ["", "=", token + "A", token + "=", String(repeating: "A", count: 100_000)] {
            #expect(!isOpen(text, own))
        }
    }

    @Test("a session ends with its time, at the hour")
    func time() throws {
        let signer = SessionSigner(secret: [1], user: "admin", password: Digest(of: "x"))
        let token = signer.token(from: 1_000, until: 5_000, random: random)
        #expect(token.withBytes { signer.session(of: $0, at: 4_999) }?.issuedAt == 1_000)
        #expect(token.withBytes { signer.session(of: $0, at: 5_000) } == nil)
    }

    @Test(
        "only the right user with the right password logs in",
        arguments: [
            ("admin", "correct horse", true), ("admin", "correct horsE", false), ("Admin", "correct horse", false),
            ("", "correct horse", false), ("admin", "", false),
        ]
    )
    func logins(user: String, password: String, isRight: Bool) throws {
        let own = sessions(try settings())
        #expect((own.logIn(user: user, password: password, random: random) != nil) == isRight)
    }

    // MARK: Logouts

    private func session(_ number: Int, from issuedAt: Int, until expiresAt: Int = 1_000_000) -> AdminSession {
        AdminSession(user: "admin", issuedAt: issuedAt, expiresAt: expiresAt, random: Array("\(number)".utf8))
    }

    @Test("a logout ends one session, and is remembered for a day more than the session: the clock may be ahead")
    func logout() throws {
        let own = sessions(try settings())
        let tokens = try (0..<2).map { _ in
            try #require(own.logIn(user: "admin", password: Self.password, random: random))
        }
        own.end(try #require(tokens[0].withBytes { own.session(of: $0) }))
        #expect(!isOpen(tokens[0], own) && isOpen(tokens[1], own))
        var list = EndedSessions()
        list.add(session(1, from: 10, until: 100), at: 50)
        #expect(list.count == 1)
        list.add(session(2, from: 10, until: 200), at: 99 + EndedSessions.graceMilliseconds)
        #expect(list.count == 2 && list.contains(session(1, from: 10)))
        list.add(session(2, from: 10, until: 200), at: 100 + EndedSessions.graceMilliseconds)
        #expect(list.count == 1 && list.contains(session(2, from: 10)))
    }

    @Test("a full list ends all sessions that are as old as those that it drops, and no newer ones")
    func fullList() {
        var list = EndedSessions()
        let ended = (0..<EndedSessions.bound + 3).map { session($0, from: 1_000 + $0) }
        for one in ended { list.add(one, at: 1) }
        #expect(list.count == EndedSessions.bound && list.notBefore == 1_002)
        #expect(ended.allSatisfy(list.contains))
        #expect(list.contains(session(-1, from: 1_002)) && !list.contains(session(-1, from: 1_003)))
    }

    @Test("lists are joined and written; what is no list is none")
    func joined() {
        var (one, other) = (EndedSessions(), EndedSessions())
        one.add(session(1, from: 10), at: 1)
        other.add(session(2, from: 20), at: 1)
        one.merge(other, at: 1)
        #expect([session(1, from: 10), session(2, from: 20)].allSatisfy(one.contains))
        let bytes = one.encoded()
        #expect(EndedSessions(bytes) == one)
        for count in bytes.indices where count != 9 && count != 41 {
            #expect(EndedSessions(Array(bytes[..<count])) == nil)
        }
        #expect(EndedSessions([2] + bytes.dropFirst()) == nil)
        // A list that claims a time in the future does not end a session that begins now.
        let future = EndedSessions([1] + [UInt8](repeating: 255, count: 8))
        one.merge(future ?? EndedSessions(), at: 500)
        #expect(one.contains(session(3, from: 500)) && !one.contains(session(3, from: 501)))
    }

    @Test("the file of logouts is read at the next start, whatever stands in it")
    func file() async throws {
        var name = Array("/tmp/sessions-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&name).map { String(cString: $0) })
        let path = "\(folder)/admin-sessions"
        defer {
            unlink(path)
            rmdir(folder)
        }
        var list = EndedSessions()
        let now = Timestamp.now()
        let ended = session(1, from: now, until: now + 100_000)
        list.add(ended, at: now)
        for (bytes, isEnded) in [([], false), ([1, 2, 3], false), (list.encoded(), true)] as [([UInt8], Bool)] {
            #expect(WholeFile.write(bytes, to: path, by: path + ".new"))
            let read = AdminSessions(dataFolder: folder)
            #expect(!read.isOpen(ended) == isEnded)
        }
    }
}
