import Engine
import Testing

@testable import Shared
@testable import UsageRecords

@Suite struct DayZoneTests {
    private static func milliseconds(_ day: String, _ seconds: Int = 0) throws -> Int {
        (try #require(day.withBytes { Day($0) }).secondsSince1970 + seconds) * 1_000
    }

    @Test("days begin at midnight of the zone, in summer and in winter, also in years that the file does not list")
    func midnights() throws {
        let rows: [(zone: String, day: String, hour: Double)] = [
            ("UTC", "2026-06-01", 0), ("Europe/Berlin", "2026-01-31", -1), ("Europe/Berlin", "2026-07-01", -2),
            ("Europe/Berlin", "2061-01-31", -1), ("Europe/Berlin", "2061-07-01", -2),
            ("America/New_York", "2026-03-08", 5), ("America/New_York", "2026-03-09", 4),
            ("America/New_York", "2026-11-01", 4), ("America/New_York", "2026-11-02", 5),
            ("Asia/Kolkata", "2026-05-05", -5.5), ("Asia/Kathmandu", "2026-05-05", -5.75),
            ("Pacific/Kiritimati", "2026-05-05", -14), ("Pacific/Pago_Pago", "2026-05-05", 11),
            ("Australia/Lord_Howe", "2026-01-05", -11), ("Australia/Lord_Howe", "2026-07-05", -10.5),
        ]
        for row in rows {
            let zone = DayZone(named: row.zone)
            #expect(zone.name == row.zone)
            let day = try #require(row.day.withBytes { Day($0) })
            let start = zone.startMilliseconds(of: day)
            #expect(start == (try Self.milliseconds(row.day, Int(row.hour * 3_600))), "\(row)")
            #expect(zone.day(atMilliseconds: start) == day, "\(row)")
            #expect(zone.day(atMilliseconds: start - 1) == day.adding(days: -1), "\(row)")
        }
    }

    @Test("each day begins where the one before ends, whatever its length")
    func days() throws {
        // Some of these zones skip midnight, one skips a day.
        for name in [
            "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia", "America/Nuuk",
        ] {
            let zone = DayZone(named: name)
            var start = zone.startMilliseconds(of: Day(number: 12_000))
            for number in 12_001..<24_000 {
                let next = zone.startMilliseconds(of: Day(number: number))
                let hours = Double(next - start) / 3_600_000
                #expect(
                    (22...26).contains(hours) || (name == "Pacific/Apia" && [0, 24, 48].contains(hours)),
                    "\(name) \(number)"
                )
                start = next
            }
        }
    }

    @Test("a file that is not of the database is no zone")
    func damage() throws {
        let whole = try readSettingsFile("/usr/share/zoneinfo/Europe/Berlin")
        #expect(ZoneRules(whole) != nil)
        for length in 0..<whole.count { _ = ZoneRules(Array(whole.prefix(length))) }
        #expect(ZoneRules([]) == nil)
        #expect(ZoneRules(Array("TZif2".utf8)) == nil)
        for offset in 0..<min(whole.count, 2_000) {
            var bytes = whole
            bytes[offset] ^= 0xff
            _ = ZoneRules(bytes)?.offset(atSecond: 1_790_000_000)
        }
        #expect(DayZone(named: "No/Where").name == "UTC")
    }

    @Test("an id is read as it is written, and nothing else")
    func ids() throws {
        for id in [RecordID.number(0), .number(7_331_840_000_503_808), .triple(time: 1, process: .max, number: 0)] {
            #expect(id.text.withBytes { RecordID($0) } == id)
        }
        for text in ["", "-", "-1", "+1", "1-2", "1-2-3-4", "1--3", "a", "1,2", " 1", "9223372036854775808", "1-2-x"]
            + [String(repeating: "1", count: 1_000_000)]
        {
            #expect(text.withBytes { RecordID($0) } == nil)
        }
        #expect(ByteBuffer(json: "\(RecordID.number(5))").text == "5")
        #expect(ByteBuffer(json: "\(RecordID.triple(time: 1, process: 2, number: 3))").text == #""1-2-3""#)
    }

    @Test("costs are written with all their decimals")
    func dollars() {
        var figures = UsageFigures()
        #expect(figures.dollars == nil)
        for (cost, text) in [
            (0, "0"), (1, "0.000000000001"), (1_500_000_000_000, "1.5"), (-2, "-0.000000000002"),
            (Int128(Int64.max) * 1_000_000, "9223372036854.775807"),
        ] as [(Int128, String)] {
            figures.costPicodollars = cost
            #expect(figures.dollars == text)
        }
    }
}
