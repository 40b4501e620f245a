import Engine
import Testing

@testable import Limits

@Suite struct LimitReaderTests {
    private let store = MemoryCounters { epoch / 1_000_000 }
    private let who = Identity.knownKey(named: "TEAM")
    private let minute = Limit(.caller(.chat), Quota(60, per: .minute))

    private func put(_ limit: Limit, _ bytes: [UInt8]) {
        _ = try? store.add(who.storeKey(limit), bytes, expirySeconds: 100)
    }

    private func use(_ limit: Limit, after seconds: Int = 0) throws -> LimitUse {
        let reading = ClockReading(wall: epoch + seconds * 1_000_000, steady: 0)
        let uses = try LimitReader(store, slotSeconds: 30, at: reading).read([LimitCharge(limit, who)])
        return try #require(uses.first)
    }

    @Test("units are those of the window up to now, with what is leased")
    func window() throws {
        var record = Record(minute.layout, at: epoch)
        record.charge(10)
        record.addLease(4, until: epoch + 400_000, at: epoch)
        put(minute, record.encoded())
        let now = try use(minute)
        #expect(now.isRecorded && now.used == 10 && now.leased == 4 && now.left == 50)
        #expect(now.resetMicroseconds > 59_000_000 && now.resetMicroseconds < 62_000_000)
        let later = try use(minute, after: 62)
        #expect(!later.isRecorded && later.used == 0 && later.left == 60 && later.resetMicroseconds == 0)
    }

    @Test("where more than the limit was used, nothing is left")
    func beyond() throws {
        let tokens = Limit(.key(nil), Quota(100, .tokens, per: .day))
        var record = Record(tokens.layout, at: epoch)
        record.charge(170)
        put(tokens, record.encoded())
        let now = try use(tokens)
        #expect(now.used == 170 && now.left == 0)
    }

    @Test("of a record that the store has lost, the instance's copy is told until it is put back")
    func lost() throws {
        var copy = Record(minute.layout, at: epoch, birth: 7)
        copy.charge(10)
        func known(_ used: Int) -> LimitUse {
            LimitUse(limit: minute, used: used, leased: 0, resetMicroseconds: 1, isRecorded: true, births: [7])
        }
        #expect(try use(minute).unlessLost(known(10)).used == 10)
        var next = Record(minute.layout, at: epoch, birth: 8)
        next.charge(2)
        put(minute, next.encoded())
        #expect(try use(minute).unlessLost(known(10)).used == 10)
        #expect(try use(minute).unlessLost(known(1)).used == 2)
        _ = next.restore(copy, version: 5)
        let other = Limit(.caller(.images), minute.quota)
        put(other, next.encoded())
        #expect(try use(other).unlessLost(known(20)).used == 12)
        copy.giveBack(6)
        let third = Limit(.caller(.audio), minute.quota)
        put(third, copy.encoded())
        #expect(try use(third).unlessLost(known(10)).used == 4)
    }

    @Test("slots are those of instances that are alive")
    func slots() throws {
        let limit = Limit(.caller(.chat), Quota(5, .concurrent, per: .second))
        var record = SlotRecord()
        let now = epoch / 1_000
        record.put(.init(instance: 1, held: 2, endMilliseconds: now + 20_000), at: epoch, slotMicroseconds: 30_000_000)
        record.put(.init(instance: 2, held: 1, endMilliseconds: now + 9_000), at: epoch, slotMicroseconds: 30_000_000)
        put(limit, record.encoded())
        #expect(try use(limit).used == 3)
        #expect(try use(limit, after: 10).used == 2)
        #expect(try use(limit, after: 21).left == 5)
    }

    @Test(
        "what is not readable counts as nothing, as it does for who counts",
        arguments: [[], [9], [1, 2, 3], [2, 1]]
    )
    func broken(_ bytes: [UInt8]) throws {
        put(minute, bytes)
        let now = try use(minute)
        #expect(!now.isRecorded && now.used == 0)
    }

    @Test("a record that is far ahead of the clock is read as of now")
    func ahead() throws {
        var record = Record(minute.layout, at: epoch + 3_600_000_000)
        record.charge(7)
        put(minute, record.encoded())
        #expect(try use(minute).used == 7)
    }

    @Test("a record of which all was given back is not lost")
    func givenBack() throws {
        var record = Record(minute.layout, at: epoch)
        record.charge(10)
        put(minute, record.encoded())
        let known = try use(minute)
        let reading = ClockReading(wall: epoch, steady: 0)
        let reader = LimitReader(store, slotSeconds: 30, at: reading)
        #expect(try reader.giveBack(10, of: LimitCharge(minute, who)) == who.storeKey(minute))
        let unused = Limit(.key(nil), Quota(100, .tokens, per: .hour))
        #expect(try reader.giveBack(10, of: LimitCharge(unused, who)) == nil)
        let now = try use(minute)
        #expect(known.used == 10 && now.unlessLost(known).used == 0)
    }

    @Test("many are read in their order")
    func many() throws {
        let limits = (1...250).map { Limit(.caller(.chat), Quota($0, per: .minute, times: $0)) }
        for limit in limits where limit.quota.count % 3 == 0 {
            var record = Record(limit.layout, at: epoch)
            record.charge(limit.quota.count / 3)
            put(limit, record.encoded())
        }
        let reading = ClockReading(wall: epoch, steady: 0)
        let uses = try LimitReader(store, slotSeconds: 30, at: reading).read(limits.map { LimitCharge($0, who) })
        #expect(uses.map(\.used) == limits.map { $0.quota.count % 3 == 0 ? $0.quota.count / 3 : 0 })
    }
}
