import Testing

@testable import Limits

@Suite struct LeftSlotsTests {
    private static func waiter(_ since: Int) -> SlotRecord.Waiter { SlotRecord.Waiter(since: since, instance: 7) }

    @Test("slots are left to the same request for two looks, since its instance may have died")
    func sameRequest() {
        var left = LeftSlots()
        for look in 0..<3 {
            #expect(left.count([Self.waiter(1)], at: look * 100_000) == (look < 2 ? 1 : 0))
            left.saw(1, [Self.waiter(1)], at: look * 100_000)
        }
        left.saw(0, [Self.waiter(1)], at: 300_000)
        #expect(left.count([Self.waiter(1)], at: 300_000) == 1, "it has taken the slot; the next one is left anew")
    }

    @Test("a slot that another request takes in time says nothing of the next one")
    func otherRequests() {
        var left = LeftSlots()
        for look in 0..<10 {
            left.saw(1, [Self.waiter(look), Self.waiter(50)], at: look * 100_000)
            #expect(left.count([Self.waiter(look), Self.waiter(50)], at: look * 100_000) == 2)
        }
    }

    @Test("a slot beyond those of earlier requests is taken at once")
    func moreSlots() {
        var left = LeftSlots()
        left.saw(2, [Self.waiter(1)], at: 0)
        left.saw(2, [Self.waiter(1)], at: 300_000)
        #expect(left.count([Self.waiter(1)], at: 300_000) == 1, "one of two")
        #expect(left.count([], at: 300_000) == 0)
    }
}
