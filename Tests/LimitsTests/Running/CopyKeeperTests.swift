import Engine
import Support
import Testing

@testable import Limits

@Suite struct CopyKeeperTests {
    private let limit = Limit(.key(nil), Quota(5, per: .day))
    private let who = Identity.knownKey(named: "TEAM")
    private var charge: LimitCharge { LimitCharge(limit, who) }

    /// A database of copies in memory, which can be away.
    private final class Database: RecordCopies {
        private struct State {
            var copies: [String: RecordCopy] = [:]
            var isAway = false
            var reads = 0
        }
        private let state = Lock(State())

        var keys: [String] { state.withLock { $0.copies.keys.sorted() } }
        var reads: Int { state.withLock { $0.reads } }
        func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

        func read(_ keys: [String]) throws(StoreFailure) -> [RecordCopy] {
            let found = state.withLock { state in
                state.reads += 1
                return state.isAway ? nil : keys.compactMap { state.copies[$0] }
            }
            guard let found else { throw StoreFailure(reason: "away") }
            return found
        }

        func save(_ copies: [RecordCopy]) throws(StoreFailure) {
            let isAway = state.withLock { state in
                if !state.isAway { for copy in copies { state.copies[copy.key] = copy } }
                return state.isAway
            }
            if isAway { throw StoreFailure(reason: "away") }
        }
    }

    /// An instance with its keeper of copies.
    private struct Instance {
        let limiter: Limiter
        let keeper: CopyKeeper

        init(_ memcached: MemcachedProcess, _ database: Database, rule: StoreDownRule = .share) throws {
            limiter = Limiter(
                store: try MemcachedCounters([memcached.address], timeoutMilliseconds: 60_000),
                LimiterOptions(storeDown: rule, timeoutMicroseconds: 60_000_000),
                on: TestLoops.ofStores
            )
            keeper = CopyKeeper(of: limiter, in: database) { _ in }
            keeper.start()
        }

        func end() {
            limiter.stop()
            keeper.stop()
        }
    }

    private func ask(_ instance: Instance, count: Int = 1) async -> Int {
        let charge = charge
        let decisions = await TestLoops.lasting.run(count) { _, loop in
            await instance.limiter.reserve([charge], on: loop).decision.isAdmitted
        }
        return decisions.count { $0 }
    }

    /// Ends all instances, and replaces the store by an empty one.
    private func lose(_ instances: [Instance], _ memcached: MemcachedProcess) throws {
        for instance in instances { instance.end() }
        memcached.kill()
        try memcached.start()
    }

    @Test("what was counted is counted after the store and all instances are gone, once, however many ask at once")
    func restored() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        var instances = try (0..<2).map { _ in try Instance(memcached, database) }
        #expect(await ask(instances[0], count: 2) == 2)
        #expect(await ask(instances[1]) == 1)
        for _ in 0..<2 {
            try lose(instances, memcached)
            instances = try (0..<2).map { _ in try Instance(memcached, database) }
            let first = instances[0]
            let second = instances[1]
            async let one = ask(first, count: 0)
            async let other = ask(second, count: 0)
            _ = await (one, other)
        }
        let first = instances[0]
        let second = instances[1]
        async let one = ask(first, count: 8)
        async let other = ask(second, count: 8)
        #expect(await one + other == 2)
        #expect(database.keys == [who.storeKey(limit)])
        try lose(instances, memcached)
        let last = try Instance(memcached, database)
        #expect(await ask(last) == 0)
        last.end()
    }

    @Test("short limits, and those of sessions, are not kept")
    func short() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let instance = try Instance(memcached, database)
        let session = who.inSession(Digest(of: "a session"))
        let charges = [
            LimitCharge(Limit(.key(nil), Quota(5, per: .hour)), who),
            LimitCharge(Limit(.session, Quota(5, per: .day)), session),
        ]
        let isAdmitted = await TestLoops.lasting.run { loop in
            await instance.limiter.reserve(charges, on: loop).decision.isAdmitted
        }
        #expect(isAdmitted)
        instance.end()
        #expect(database.keys == [] && database.reads == 0)
    }

    @Test(
        "while the database is away, the rule for outages decides; afterwards its copy counts, with what was admitted"
    )
    func away() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let first = try Instance(memcached, database)
        #expect(await ask(first, count: 3) == 3)
        try lose([first], memcached)
        database.setAway(true)
        let denying = try Instance(memcached, database, rule: .deny)
        #expect(await ask(denying, count: 2) == 0)
        #expect(denying.limiter.metrics().byRule >= 2)
        denying.end()
        let local = try Instance(memcached, database, rule: .local)
        #expect(await ask(local) == 1)
        database.setAway(false)
        let charge = charge
        while await TestLoops.lasting.run({ await local.limiter.used([charge], on: $0) }) != [4] {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(await ask(local, count: 3) == 1)
        local.end()
    }

    @Test("a reset holds after a loss, also one of a limit that only the database knew")
    func resets() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let charge = charge
        var instance = try Instance(memcached, database)
        #expect(await ask(instance, count: 8) == 5)
        for isKnown in [true, false] {
            if !isKnown {
                #expect(await ask(instance, count: 5) == 5)
                try lose([instance], memcached)
                instance = try Instance(memcached, database)
            }
            let shared = SharedState(
                try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000),
                timeoutMilliseconds: 2_000
            )
            let limiter = instance.limiter
            _ = await TestLoops.lasting.run { try? await limiter.reset(charge, in: shared, on: $0) }
            shared.stop()
            // The emptied record is read once more, and then saved.
            #expect(await TestLoops.lasting.run { await limiter.used([charge], on: $0) } == [0])
            try lose([instance], memcached)
            instance = try Instance(memcached, database)
            if !isKnown { #expect(await ask(instance, count: 8) == 5) }
        }
        instance.end()
    }

    @Test("the records of many callers are put back when somebody looks at them")
    func manyLookedAt() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let limit = limit
        let charges = (0..<150).map { LimitCharge(limit, .passedKey(Digest(of: "key \($0)"))) }
        var instance = try Instance(memcached, database)
        let first = instance.limiter
        let isEachAdmitted = await TestLoops.lasting.run(charges.count) { number, loop in
            await first.reserve([charges[number]], on: loop).decision.isAdmitted
        }
        #expect(!isEachAdmitted.contains(false))
        try lose([instance], memcached)
        instance = try Instance(memcached, database)
        let limiter = instance.limiter
        await TestLoops.lasting.run { await limiter.restore(charges, on: $0) }
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
        #expect(try LimitReader(store, slotSeconds: 30).read(charges).allSatisfy { $0.used == 1 })
        instance.end()
    }

    @Test("an amount is given back of a record that only the database knew, and stays given back")
    func givenBack() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let charge = charge
        var instance = try Instance(memcached, database)
        #expect(await ask(instance, count: 8) == 5)
        try lose([instance], memcached)
        instance = try Instance(memcached, database)
        let shared = SharedState(
            try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000),
            timeoutMilliseconds: 2_000
        )
        let limiter = instance.limiter
        let given = await TestLoops.lasting.run {
            try? await limiter.giveBack(2, of: charge, in: shared, on: $0).units
        }
        shared.stop()
        #expect(given == 2)
        #expect(await TestLoops.lasting.run { await limiter.used([charge], on: $0) } == [3])
        try lose([instance], memcached)
        instance = try Instance(memcached, database)
        #expect(await ask(instance, count: 8) == 2)
        instance.end()
    }

    @Test("an instance's older copy gives way to the database's newer one, and its newer one does not")
    func versions() async throws {
        let memcached = try MemcachedProcess()
        let database = Database()
        let quiet = try Instance(memcached, database)
        let busy = try Instance(memcached, database)
        #expect(await ask(quiet) == 1)
        #expect(await ask(busy, count: 3) == 3)
        busy.end()
        _ = memcached.say("flush_all")
        #expect(await ask(quiet, count: 3) == 1, "the quiet instance knew of one, the database of four")
        _ = memcached.say("flush_all")
        #expect(await ask(quiet) == 0)
        quiet.end()
    }
}
