import Engine
import Glibc
import Shared
import Testing

@Suite struct LogTests {
    /// A pipe whose reading end belongs to the test.
    private final class Pipe {
        private var ends: [Int32] = [0, 0]

        init() { pipe(&ends) }

        deinit { for end in ends { close(end) } }

        var sink: Int32 { ends[1] }

        /// Returns the text written so far, up to 1 MB; empty if nothing arrives in ten seconds.
        func text() -> String {
            var wanted = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, 10_000) == 1 else { return "" }
            var room = [UInt8](repeating: 0, count: 1 << 20)
            let count = read(ends[0], &room, room.count)
            return String(decoding: room[..<max(0, count)], as: UTF8.self)
        }
    }

    private func lines(_ format: LogFormat, level: LogLevel = .info, _ body: (Log) -> Void) -> [String] {
        let pipe = Pipe()
        let log = Log(level: level, format: format, descriptor: pipe.sink)
        body(log)
        log.error("end")
        #expect(log.flush(seconds: 10))
        let lines = pipe.text().split(separator: "\n").map { String($0) }
        return Array(lines.dropLast())
    }

    /// Returns the line without its time.
    private func rest(_ line: String?, from index: Int) -> String { String((line ?? "").dropFirst(index)) }

    @Test("a JSON line")
    func json() {
        let lines = lines(.json) { log in
            log.info("request") { line in
                line.add("id", "a\"b\\c\nd\u{1}")
                line.add("status", 200)
                line.add("change", -5)
                line.add("stream", true)
                line.add("caller", nil as String?)
                line.add("route", "/v1/chat")
                line.add("empty", "")
            }
        }
        #expect(lines.count == 1)
        let time = #/\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/#
        #expect(lines.first?.prefixMatch(of: time) != nil)
        #expect(
            rest(lines.first, from: 34)
                == #","level":"info","message":"request","id":"a\"b\\c\nd\u0001","status":200,"change":-5,"stream":true,"#
                + #""route":"/v1/chat","empty":""}"#
        )
    }

    @Test("a text line quotes where it must")
    func text() {
        let lines = lines(.text) { log in
            log.warning("retry") { line in
                line.add("id", "abc")
                line.add("why", "too slow")
                line.add("odd", "a=b")
                line.add("empty", "")
                line.add("tries", 3)
                line.add("name", "grün")
            }
        }
        #expect(
            rest(lines.first, from: 24)
                == #" warning retry id=abc why="too slow" odd="a=b" empty="" tries=3 name="grün""#
        )
    }

    @Test(
        "no value breaks a line",
        arguments: [
            ("a\r\nb", #""a\r\nb""#), ("a\u{7F}b", #""a\u007fb""#), ("\u{85}", #""\u0085""#),
            ("\u{9B}31m", #""\u009b31m""#), ("\u{2028}\"\\\n", #""\u2028\"\\\u000a""#), ("\u{1B}[2J", #""\u001b[2J""#),
        ]
    )
    func controls(value: String, written: String) {
        let text = lines(.text) { $0.info("x") { $0.add("v", value) } }
        #expect(text.count == 1 && rest(text.first, from: 24) == " info x v=" + written)
        let json = lines(.json) { $0.info("x") { $0.add("v", value) } }
        #expect(json.count == 1 && json.first?.hasSuffix("\"v\":" + written + "}") == true)
    }

    @Test("bytes that are no UTF-8 are replaced")
    func notText() {
        let bytes: [UInt8] = [0x61, 0xFF, 0x62]
        let lines = lines(.json) { log in
            log.info("x") { line in bytes.withUnsafeBytes { line.add("v", $0) } }
        }
        #expect(lines.first?.hasSuffix("\"v\":\"a\u{FFFD}b\"}") == true)
    }

    @Test("what is below the level is not written")
    func levels() {
        let lines = lines(.text, level: .warning) { log in
            log.debug("no")
            log.info("no")
            log.warning("yes")
            log.error("yes")
            #expect(!log.isOn(.info) && log.isOn(.error))
        }
        #expect(lines.map { rest($0, from: 24) } == [" warning yes", " error yes"])
    }

    @Test("lines of several threads stay whole and in order")
    func threads() async {
        let pipe = Pipe()
        let log = Log(level: .info, format: .text, descriptor: pipe.sink)
        // 4 x 200 lines of about 50 bytes are less than a pipe holds.
        await withTaskGroup { group in
            for thread in 0..<4 {
                group.addTask {
                    for number in 0..<200 {
                        log.info("line") { line in
                            line.add("thread", thread)
                            line.add("number", number)
                        }
                    }
                }
            }
        }
        #expect(log.flush(seconds: 10))
        let lines = pipe.text().split(separator: "\n")
        #expect(lines.count == 800)
        for thread in 0..<4 {
            let own = lines.filter { $0.contains(" thread=\(thread) ") }.map { $0.split(separator: "=").last ?? "" }
            #expect(own == (0..<200).map { "\($0)" })
        }
        #expect(lines.map { $0.prefix(24) } == lines.map { $0.prefix(24) }.sorted())
    }

    @Test("a sink that is stuck keeps nobody: lines are dropped, counted and reported")
    func stuckSink() {
        let pipe = Pipe()
        let log = Log(level: .info, format: .text, descriptor: pipe.sink, capacityBytes: 100_000)
        // The pipe holds 64 KB, the current batch at most 100 KB, the buffer 100 KB.
        let value = String(repeating: "x", count: 900)
        for _ in 0..<1_000 { log.info("long") { $0.add("value", value) } }
        var text = ""
        var written = 0
        var dropped: [Int] = []
        while written + dropped.reduce(0, +) < 1_000 {
            let more = pipe.text()
            #expect(!more.isEmpty)
            if more.isEmpty { break }
            text += more
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            written = lines.count { $0.contains(" long value=") }
            dropped = lines.filter { $0.contains("log lines dropped") }
                .compactMap { $0.split(separator: "=").last.flatMap { Int($0) } }
        }
        #expect(written + dropped.reduce(0, +) == 1_000)
        #expect(written < 300 && dropped.count >= 1)
    }

    @Test("waiting for a stuck sink ends")
    func boundedFlush() {
        let pipe = Pipe()
        let log = Log(level: .info, format: .text, descriptor: pipe.sink)
        let value = String(repeating: "x", count: 100_000)
        log.info("long") { $0.add("value", value) }
        #expect(!log.flush(seconds: 0))
        var text = pipe.text()
        while !text.hasSuffix("\n") {
            let more = pipe.text()
            if more.isEmpty { break }
            text += more
        }
        #expect(text.utf8.count > 100_000 && text.hasSuffix("\n"))
    }

    @Test("a sink that is gone is survived")
    func goneSink() {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        close(ends[0])
        defer { close(ends[1]) }
        let log = Log(level: .info, format: .text, descriptor: ends[1])
        log.info("x")
        #expect(log.flush(seconds: 10))
    }
}
