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
}
