import Engine
import Testing

@testable import Upstream

@Suite struct SessionCallsTests {
    private static let keys = [
        SessionCalls.Key(provider: "a", label: "k1"), SessionCalls.Key(provider: "a", label: "k2"),
    ]

    /// Begins a call of a session whose own key is the first of `keys`.
    private static func begin(
        _ calls: SessionCalls,
        _ session: UInt64,
        _ keys: [SessionCalls.Key] = keys
    ) -> (key: SessionCalls.Key, call: HeldCapacity) {
        let chosen = calls.chooseKey(session, among: keys)
        return (chosen.key, chosen.begin(at: chosen.key))
    }

    private static func isOwn(_ calls: SessionCalls, _ session: UInt64, _ count: Int) -> [Bool] {
        // The calls end together.
        let begun = (0..<count).map { _ in begin(calls, session) }
        defer { for one in begun { one.call.end() } }
        return begun.map { $0.key == keys[0] }
    }

    @Test("a call leaves the session's own key only if that key has two calls more, and the session has a call there")
    func exception() {
        let calls = SessionCalls()
        #expect(Self.isOwn(calls, 1, 6) == [true, true, false, true, false, true])
        // Another session's calls keep the key busy, but the first call of each session goes to its own key.
        let busy = (0..<4).map { Self.begin(calls, $0) }
        #expect(busy.allSatisfy { $0.key == Self.keys[0] })
        #expect(Self.isOwn(calls, 9, 3) == [true, false, false])
        for one in busy { one.call.end() }
        #expect(Self.isOwn(calls, 9, 3) == [true, true, false])
    }

    @Test("a call that uses another key than the chosen one counts there, and one that never begins counts nowhere")
    func moves() {
        let calls = SessionCalls()
        let first = calls.chooseKey(1, among: Self.keys).begin(at: Self.keys[1])
        // The session has no call at its own key.
        #expect(Self.isOwn(calls, 1, 1) == [true])
        first.end()
        for _ in 0..<5 { _ = calls.chooseKey(1, among: Self.keys) }
        #expect(Self.isOwn(calls, 1, 3) == [true, true, false])
        // A second call of one request, after the first has failed.
        let chosen = calls.chooseKey(1, among: Self.keys)
        chosen.begin(at: Self.keys[0]).end()
        let again = chosen.begin(at: Self.keys[0])
        #expect(Self.isOwn(calls, 1, 2) == [true, false])
        again.end()
        #expect(Self.isOwn(calls, 1, 3) == [true, true, false])
    }

    @Test("calls that begin and end on many loops at once are counted exactly")
    func concurrent() async {
        let calls = SessionCalls()
        let held = await withTaskGroup(of: (SessionCalls.Key, HeldCapacity).self) { group in
            for number in 0..<1_000 {
                group.addTask {
                    // Other sessions come and go.
                    Self.begin(calls, UInt64(2 + number % 7), Self.keys.reversed()).call.end()
                    _ = calls.chooseKey(UInt64(2 + number % 7), among: Self.keys)
                    return Self.begin(calls, 1)
                }
            }
            var held: [(SessionCalls.Key, HeldCapacity)] = []
            for await one in group { held.append(one) }
            return held
        }
        let own = held.count { $0.0 == Self.keys[0] }
        // Other sessions' short calls move the limit by at most one call of each task that runs at once.
        #expect((430...570).contains(own), "\(own) of 1,000")
        await withTaskGroup { group in
            for (_, call) in held { group.addTask { call.end() } }
        }
        #expect(Self.isOwn(calls, 1, 6) == [true, true, false, true, false, true])
    }
}
