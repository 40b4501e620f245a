import Glibc
import Testing

@testable import Engine

@Suite struct UpstreamHeadTests {
    @Test(
        "a body is coded unless the field says that it is not",
        arguments: [
            ("", false), ("identity", false), ("IDENTITY , identity", false), ("utf-8", false), ("aws-chunked", false),
            ("gzip", true), ("br", true), ("identity, zstd", true), ("aws-chunked,GZIP", true), ("x", true),
        ]
    )
    func coding(_ value: String, _ expected: Bool) {
        let text = ByteBuffer(value)
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        func isCoded(_ status: Int) -> Bool {
            UpstreamHead(
                status: status,
                type: empty,
                coding: text.bytes,
                retry: (empty, empty, empty),
                redirectURL: nil
            )
            .isCoded
        }
        #expect(isCoded(200) == expected && !isCoded(204))
    }

    private func seconds(_ wait: String, milliseconds: String = "") -> Int? {
        let wait = ByteBuffer(wait)
        let milliseconds = ByteBuffer(milliseconds)
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let retry = (seconds: wait.bytes, milliseconds: milliseconds.bytes, should: empty)
        return UpstreamHead(status: 429, type: empty, coding: empty, retry: retry, redirectURL: nil).retryAfterSeconds
    }

    @Test("a wait is a number of seconds or milliseconds, rounded up, or a date")
    func waits() {
        #expect(seconds("7") == 7 && seconds("0.2") == 1 && seconds("1e3") == 1_000)
        #expect(seconds("7", milliseconds: "1001") == 2)
    }

    @Test(
        "a wait is at most a day",
        arguments: ["86401", "1e9", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 2199 23:59:59 GMT"]
    )
    func longWaits(text: String) {
        #expect(seconds(text) == 86_400)
        #expect(seconds("7", milliseconds: "1e9") == 86_400)
    }

    private func seconds(limits: [(String, String)], status: Int = 429, wait: Int? = nil) -> Int? {
        var head = UpstreamHead(status: status, isEventStream: false, retryAfterSeconds: wait)
        for (name, value) in limits {
            let (name, value) = (Body(ByteBuffer(name)), Body(ByteBuffer(value)))
            withExtendedLifetime((name, value)) { head.keep(name.bytes, value.bytes, of: []) }
        }
        return head.retryAfterSeconds
    }

    @Test("without a wait, the limit that is reached says how long to wait, else the first one that ends")
    func limits() {
        let both = [("X-RateLimit-Reset-Requests", "2m3.2s"), ("x-ratelimit-reset-tokens", "17ms")]
        #expect(seconds(limits: both) == 1)
        #expect(seconds(limits: both + [("x-ratelimit-remaining-requests", "0")]) == 124)
        #expect(seconds(limits: both, wait: 7) == 7 && seconds(limits: both, status: 200) == nil)
        let later = time(nil) + 500
        for text in ["\(later)", "\(later)000", "\(later).5"] {
            #expect((400...501).contains(seconds(limits: [("x-ratelimit-reset", text)]) ?? 0))
        }
        #expect(seconds(limits: [("x-ratelimit-reset", "2199-12-31T23:59:59.5Z")]) == 86_400)
        for text in ["", "x", "0", "-5", "2001-01-01T00:00:00Z", "1000000001"] {
            #expect(seconds(limits: [("x-ratelimit-reset", text)]) == nil, "\(text)")
        }
    }

    @Test(
        "a wait in words has units",
        arguments: [
            ("6.57s. Visit", 7), ("1m2.5s", 63), ("45 seconds.", 45), ("500 ms", 1), ("2 h", 7_200), ("3 days", 86_400),
            ("20", 20), ("20 tokens", nil), ("", nil), ("s", nil), ("1.2.3s", nil), ("99999999999999999999s", nil),
        ] as [(String, Int?)]
    )
    func words(text: String, expected: Int?) { #expect(UpstreamHead.seconds(ofWait: text) == expected) }

    @Test("a status that HTTP does not have is a failure of the vendor", arguments: [-1, 0, 99, 100, 199, 600, 1_000])
    func statuses(status: Int) {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        func head(_ number: Int) -> UpstreamHead {
            UpstreamHead(
                status: number,
                type: empty,
                coding: empty,
                retry: (empty, empty, empty),
                redirectURL: nil
            )
        }
        #expect(head(status).status == 502 && head(status).sentStatus == status)
        #expect([200, 299, 418, 529, 599].allSatisfy { head($0).status == $0 })
    }

    @Test(
        "a wait that cannot be is none",
        arguments: [
            "", "0", "-1", "nan", "inf", "-inf", "1e300", "-1e300", "9223372036854775808", "soon", "1e10",
            "20991231235959",
            "Thu, 01 Jan 1970 00:00:00 GMT",
        ]
    )
    func impossible(text: String) {
        #expect(seconds(text) == nil)
        #expect(seconds("", milliseconds: text) == nil)
    }
}
