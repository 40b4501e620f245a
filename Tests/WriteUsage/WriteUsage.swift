import Glibc
import Shared
import UsageRecords

// write-usage FOLDER RATE: writes RATE usage records a second to FOLDER/usage.db until it is killed, as a relay does.
// Each tenth of a second it prints the number of records that it has handed over.

@main
enum WriteUsage {
    static func main() {
        guard CommandLine.arguments.count == 3, let rate = Int(CommandLine.arguments[2]), rate > 0 else { exit(64) }
        let log = Log(level: .warning, format: .text)
        let settings = UsageDatabaseSettings(.folder(CommandLine.arguments[1]), days: 90, maxBytes: 1 << 30)
        guard let queue = try? RecordStore.database(settings, log)?.queue else { exit(1) }
        var taken = 0
        var printed = 0
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let start = now
        while true {
            clock_gettime(CLOCK_MONOTONIC, &now)
            let milliseconds = (now.tv_sec - start.tv_sec) * 1_000 + (now.tv_nsec - start.tv_nsec) / 1_000_000
            while taken < rate * milliseconds / 1_000 {
                taken += 1
                queue.append(FinishedRequest(record(taken)))
            }
            if milliseconds / 100 > printed {
                printed = milliseconds / 100
                let line = Array("\(taken)\n".utf8)
                if write(STDOUT_FILENO, line, line.count) < 0 { exit(0) }
            }
            usleep(1_000)
        }
    }

    private static func record(_ number: Int) -> UsageRecord {
        var record = UsageRecord(
            at: Timestamp.now(),
            .request,
            requestID: "\(number)",
            endpoint: "/v1/chat/completions",
            caller: "team",
            model: "fast"
        )
        record.modelUsed = "big/model:1"
        record.provider = "row"
        record.isSuccess = true
        record.status = 200
        return record
    }
}
