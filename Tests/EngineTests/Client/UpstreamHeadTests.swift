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

    @Test("a status that HTTP does not have is a failure of the vendor", arguments: [-1, 0, 99, 100, 199, 600, 1_000])
    func statuses(status: Int) {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        func read(_ number: Int) -> Int {
            UpstreamHead(
                status: number,
                type: empty,
                coding: empty,
                retry: (empty, empty, empty),
                redirectURL: nil
            )
            .status
        }
        #expect(read(status) == 502)
        #expect([200, 299, 418, 529, 599].allSatisfy { read($0) == $0 })
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
