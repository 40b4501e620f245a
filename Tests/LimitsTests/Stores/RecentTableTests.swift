import Testing

@testable import Limits

@Suite struct RecentTableTests {
    @Test("a table with a bound lets go of one for one, the longest unused first, and never more")
    func oneByOne() {
        var table = RecentTable<Int, String>()
        for number in 0..<100 { table.set(number, "\(number)", atMost: 100) }
        for number in 0..<50 { #expect(table.use(number) == "\(number)") }
        for number in 100..<150 {
            table.set(number, "\(number)", atMost: 100)
            #expect(table.count == 100)
        }
        for number in 0..<50 { #expect(table.use(number) != nil) }
        for number in 50..<100 { #expect(table.use(number) == nil) }
        table.set(0, "again", atMost: 100)
        #expect(table.count == 100 && table.use(0) == "again" && table.use(1) == "1")
    }

    @Test("a lower bound takes effect with the next value")
    func lower() {
        var table = RecentTable<Int, Int>()
        for number in 0..<10 { table.set(number, number, atMost: 10) }
        table.set(10, 10, atMost: 3)
        #expect(table.count == 3 && table.use(10) == 10 && table.use(9) == 9 && table.use(8) == 8)
    }

    @Test("in whatever order values come, are used and go, the table is as a list that is searched")
    func model() {
        var dice = Dice(seed: 7)
        var table = RecentTable<Int, Int>()
        var list: [(key: Int, value: Int)] = []  // the least recently used entry first
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<40, using: &dice)
            let known = list.firstIndex { $0.key == key }.map { list.remove(at: $0) }
            switch Int.random(in: 0..<3, using: &dice) {
            case 0:
                #expect(table.remove(key) == known?.value)
            case 1:
                #expect(table.use(key) == known?.value)
                if let known { list.append(known) }
            default:
                table.set(key, step)
                list.append((key, step))
            }
            guard table.count == list.count, table.leastRecentlyUsed?.value == list.first?.value else {
                Issue.record("step \(step)")
                return
            }
        }
        while let first = list.first, let least = table.leastRecentlyUsed {
            #expect(least == first)
            table.remove(least.key)
            list.removeFirst()
        }
        #expect(table.isEmpty && list.isEmpty)
    }
}
