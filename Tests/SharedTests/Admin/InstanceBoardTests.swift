import Engine
import Glibc
import Limits
import Testing

@testable import Shared

@Suite struct InstanceBoardTests {
    private let parser = JSONParser()

    private func entry(
        _ id: String,
        name: String = "other:5001",
        startedAt: Int = 1,
        seenAt: Int = Timestamp.now(),
        settings: String = "0123456789ab",
        version: String = "1.0.0",
        orders: [InstanceOrder] = [],
        hasLeft: Bool = false
    ) -> InstanceEntry {
        InstanceEntry(
            id: id,
            name: name,
            version: version,
            startedAt: startedAt,
            seenAt: seenAt,
            figures: InstanceFigures(),
            settings: settings,
            hasLeft: hasLeft,
            orders: orders
        )
    }

    @Test("an entry is read as it was written, whatever stands in its texts")
    func coding() {
        let order = InstanceOrder(.resume, "a\"\\\u{1}é", key: "k1", at: 5)
        let written = entry("x", name: "<script>\n\"", orders: [order, InstanceOrder(.reset, "relay:1:x", at: 6)])
        #expect(InstanceEntry(written.encoded(), parser) == written)
    }

    @Test("what is no entry is none, and what is too much is not read")
    func hostile() {
        let good = entry("x").encoded()
        for count in good.indices { #expect(InstanceEntry(Array(good[..<count]), parser) == nil) }
        for text in ["", "[]", "{}", "null", "{\"id\":1}", String(repeating: "[", count: 60_000)] {
            #expect(InstanceEntry(Array(text.utf8), parser) == nil)
        }
        #expect(InstanceEntry([UInt8](repeating: 32, count: InstanceEntry.limitBytes + 1), parser) == nil)
        let long = entry("x", name: String(repeating: "n", count: 513)).encoded()
        #expect(InstanceEntry(long, parser) == nil)
        // A page could not show such a time.
        let lastMilliseconds = 253_402_300_799_999
        for time in [lastMilliseconds + 1, .max] {
            #expect(InstanceEntry(entry("x", startedAt: time).encoded(), parser) == nil)
            #expect(InstanceEntry(entry("x", seenAt: time).encoded(), parser) == nil)
        }
        #expect(InstanceEntry(entry("x", seenAt: lastMilliseconds).encoded(), parser) != nil)
        let orders = (0..<500).map { InstanceOrder(.reset, "r\($0)", at: $0) }
        #expect(InstanceEntry(entry("x", orders: orders).encoded(), parser)?.orders.count == 100)
    }

    @Test("an instance is silent 30 seconds after its last new entry, by the reader's clock")
    func silence() {
        let board = InstanceBoard(name: "own:5001")
        _ = board.entry(InstanceFigures(), settings: "")
        let start = LoopTime(nanoseconds: 1_000_000_000_000)
        // The clock of this instance is an hour ahead.
        var seen = Timestamp.now() + 3_600_000
        board.see(entry("a", seenAt: seen), "a", at: start)
        func isSilent(after seconds: Int) -> Bool? {
            board.all(at: start.adding(seconds: seconds)).first { $0.entry.id == "a" }?.isSilent
        }
        #expect(isSilent(after: 30) == false && isSilent(after: 31) == true)
        board.see(entry("a", seenAt: seen), "a", at: start.adding(seconds: 20))
        #expect(isSilent(after: 31) == true)
        seen += 10_000
        board.see(entry("a", seenAt: seen), "a", at: start.adding(seconds: 25))
        #expect(isSilent(after: 55) == false && isSilent(after: 56) == true)
        // An entry that is old when it is first read does not count as living.
        board.see(entry("b", seenAt: Timestamp.now() - 31_000), "b", at: start)
        #expect(board.all(at: start).first { $0.entry.id == "b" }?.isSilent == true)
    }

    @Test("instances that left are not listed, nor a silent one that was started anew")
    func listed() {
        let board = InstanceBoard(name: "own:5001")
        _ = board.entry(InstanceFigures(), settings: "")
        let start = LoopTime(nanoseconds: 1_000_000_000_000)
        board.see(entry("a", startedAt: 1), "a", at: start)
        board.see(entry("b", startedAt: 2), "b", at: start.adding(seconds: 60))
        board.see(entry("c", name: "third:5001"), "c", at: start.adding(seconds: 60))
        func names() -> [String] { board.all(at: start.adding(seconds: 61)).map(\.entry.id) }
        #expect(names().count == 3 && !names().contains("a"))
        board.see(entry("c", name: "third:5001", hasLeft: true), "c", at: start.adding(seconds: 61))
        #expect(names().count == 2)
        board.see(entry("b"), "another", at: start.adding(seconds: 61))
        #expect(names().count == 2)
        // One that has been silent for so long that it is no longer in the index.
        board.removeOthers(except: ["c"])
        #expect(names().count == 1)
    }

    @Test("other settings are reported once, if they are there in two looks in a row")
    func otherSettings() {
        let board = InstanceBoard(name: "own:5001")
        let start = LoopTime(nanoseconds: 1_000_000_000_000)
        func found(seconds: Int = 0) -> [String] {
            board.instancesWithOtherSettings(at: start.adding(seconds: seconds)).map(\.id)
        }
        func see(_ id: String, _ settings: String, version: String = Product.version) {
            let entry = entry(id, name: "\(id):1", settings: settings, version: version)
            board.see(entry, id, at: start)
        }
        see("a", "other")
        #expect(found().isEmpty && found().isEmpty)
        _ = board.entry(InstanceFigures(), settings: "own")
        see("b", "own")
        see("c", "other", version: "0.0.1")
        #expect(found().isEmpty)
        #expect(found() == ["a"])
        #expect(found().isEmpty && found().isEmpty)
        see("a", "own")
        #expect(found().isEmpty)
        see("a", "other")
        #expect(found().isEmpty && found() == ["a"])
        _ = board.entry(InstanceFigures(), settings: "new")
        see("a", "newer")
        // A killed instance says nothing for long.
        #expect(found().isEmpty && found(seconds: 60).isEmpty)
    }

    @Test("each order is carried out once, and none from before the start")
    func orders() {
        let board = InstanceBoard(name: "own:5001")
        let now = Timestamp.now()
        let (old, new) = (InstanceOrder(.reset, "r", at: now - 60_000), InstanceOrder(.reset, "r", at: now + 1))
        board.see(entry("a", orders: [old, new]), "a", at: .current())
        #expect(board.newOrders() == [new])
        #expect(board.newOrders() == [])
        let later = InstanceOrder(.resume, "groq", at: now + 2)
        board.see(entry("a", orders: [new, later]), "a", at: .current())
        #expect(board.newOrders() == [later])
        // An instance that has left gave its last order just before.
        let last = InstanceOrder(.giveBack, "r", at: now + 3)
        board.see(entry("a", orders: [new, later, last], hasLeft: true), "a", at: .current())
        #expect(board.newOrders() == [last])
    }

    @Test("a command's orders reach the instances, which do not list the command")
    func announced() throws {
        var values: [String: [UInt8]] = [:]
        let order = InstanceOrder(.giveBack, "r")
        let command = InstanceBoard(name: "command")
        try command.announce([order]) { key, _, change in values[key] = change(values[key]) ?? values[key] }
        let index = try #require(values.first { $0.key.hasSuffix(":instances") }?.value)
        let id = String(decoding: index.prefix(while: { $0 != 32 }), as: UTF8.self)
        let value = try #require(values.first { $0.key.hasSuffix(":instance:\(id)") }?.value)
        let board = InstanceBoard(name: "own:5001")
        board.see(InstanceEntry(value, parser), id, at: .current())
        #expect(board.newOrders() == [order])
        #expect(board.all(at: .current()).isEmpty)
    }

    @Test("at most a hundred orders stand in an entry, the newest, and none for longer than a day")
    func ownOrders() {
        let board = InstanceBoard(name: "own:5001")
        let now = Timestamp.now()
        board.add(InstanceOrder(.reset, "old", at: now - 86_400_001))
        for number in 0..<150 { board.add(InstanceOrder(.reset, "r\(number)", at: now)) }
        let orders = board.entry(InstanceFigures(), settings: "").orders
        #expect(orders.count == 100 && orders.first?.target == "r50")
    }
}
