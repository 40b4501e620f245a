import Glibc

@testable import Shared
@testable import UsageRecords

/// A folder of a test, which is removed with the object.
final class TemporaryFolder {
    let path: String

    init() {
        var name = Array("/tmp/relay-test.XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
        mkdtemp(&name)
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { _ = spawned("/bin/rm", "-rf", path) }

    func files() -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}

/// Runs a program to its end. Returns its exit status.
@discardableResult
func spawned(_ arguments: String...) -> Int32 {
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var id = pid_t()
    guard posix_spawn(&id, arguments[0], nil, nil, &words, environ) == 0 else { return -1 }
    var status: Int32 = -1
    waitpid(id, &status, 0)
    return status
}

/// Returns the record of a request. `number` is in its id.
func request(
    _ number: Int,
    at milliseconds: Int = Timestamp.now(),
    model: String? = "fast",
    cost: Int? = nil
) -> UsageRecord {
    var record = UsageRecord(
        at: milliseconds,
        .request,
        requestID: "request-\(number)",
        endpoint: "/v1/chat/completions",
        caller: "team",
        model: model
    )
    record.modelUsed = "big/model:1"
    record.provider = "row"
    record.promptTokens = 20
    record.completionTokens = 30
    record.cost = cost.map { Cost(picodollars: $0) }
    record.durationMilliseconds = 812
    record.attempts = 1
    record.isSuccess = true
    record.status = 200
    return record
}

/// Returns the record of a failed call of a vendor.
func call(_ number: Int, at milliseconds: Int = Timestamp.now(), provider: String = "row") -> UsageRecord {
    var record = UsageRecord(
        at: milliseconds,
        .call(key: "k1", credits: 7),
        requestID: "request-\(number)",
        endpoint: "/v1/chat/completions",
        caller: "team",
        model: "fast"
    )
    record.provider = provider
    record.promptTokens = 5
    record.isEstimated = true
    record.status = 500
    record.error = "it said \"no\" \\ \u{e4}\u{1f600}"
    return record
}

/// Returns the record of a request with its only call, which ended earlier.
func requestWithCall(
    _ number: Int,
    at milliseconds: Int = Timestamp.now(),
    callAt callMilliseconds: Int? = nil,
    model: String? = "fast",
    key: String? = "k1",
    credits: Int? = nil
) -> UsageRecord {
    var record = request(number, at: milliseconds, model: model, cost: 1_500)
    record.subject = .requestWithCall(
        .init(at: callMilliseconds ?? milliseconds - 2, durationMilliseconds: 790, key: key, credits: credits)
    )
    (record.isStreamed, record.isCached) = (true, true)
    return record
}

/// Returns the requests of records in which calls follow their request.
func finished(_ records: [UsageRecord]) -> [FinishedRequest] {
    var requests: [[UsageRecord]] = []
    for record in records {
        if record.isOfRequest || requests.isEmpty { requests.append([]) }
        requests[requests.count - 1].append(record)
    }
    return requests.map { FinishedRequest($0[0], calls: Array($0.dropFirst())) }
}

extension UsageStore {
    /// Writes records in which calls follow their request.
    func writeAll(_ records: [UsageRecord]) throws(UsageFailure) { try writeAll(finished(records)) }

    func writeAll(_ requests: [FinishedRequest]) throws(UsageFailure) {
        var rest = requests[...]
        while !rest.isEmpty { rest = rest.dropFirst(try write(rest)) }
    }
}

/// A log that discards its lines.
let noLog = Log(level: .error, format: .text, descriptor: open("/dev/null", O_WRONLY | O_CLOEXEC))

/// The columns of usage records that other programs read, in the order in which older relays wrote them.
let recordColumns = [
    "time", "kind", "request_id", "endpoint", "caller", "model", "model_used", "provider", "key", "prompt_tokens",
    "completion_tokens", "estimated", "cost", "credits", "duration_ms", "attempts", "stream", "cached", "success",
    "status", "error", "first_byte_ms", "limits_wait_ms", "capacity_wait_ms", "limits", "session", "rebuilt",
    "cached_tokens", "cache_writes", "cache_writes_1h", "service_tier", "tool_uses", "bill", "lowered_max_tokens",
    "end_user",
]
