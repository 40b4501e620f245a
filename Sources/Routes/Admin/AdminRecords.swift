import Engine
import Shared
import Upstream
import UsageRecords

/// Handles GET /admin/req_logs: lists the stored records of requests.
func listRecords(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    if fields["status"] == "running" { return await listRunningRecords(visit) }
    let reader = try recordReader(visit)
    let query = try RecordFields.query(fields, reader.zone)
    let page = try await visit.read { (loop) async throws(UsageFailure) in try await reader.records(query, on: loop) }
    let writer = RecordWriter(visit)
    var more: [(name: String, value: JSONFragment)] = []
    if page.isTotalBound { more.append(("total_is_bound", "true")) }
    if page.isPartial { more.append(("partial", "true")) }
    if let next = page.continuation { more.append(("before", "\(next)")) }
    visit.send(page.records.map { writer.json($0) }, total: page.total, more)
}

/// Handles GET /admin/req_figures: sends sums and durations of the newest requests that match a filter.
func showRecordFigures(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let reader = try recordReader(visit)
    let filter = try RecordFields.filter(fields, reader.zone)
    let found = try await visit.read { (loop) async throws(UsageFailure) in try await reader.figures(filter, on: loop) }
    let sums = found.sums
    visit.send(
        data: #"""
            {"requests":\#(sums.requests),"failed":\#(sums.failed),"failures":\#(sums.failures),\#
            "refusals":\#(sums.refusals),"p50_ms":\#(found.p50Milliseconds),"p95_ms":\#(found.p95Milliseconds),\#
            "prompt_tokens":\#(sums.promptTokens),"completion_tokens":\#(sums.completionTokens),\#
            "cost":\#(number: sums.dollars),"unpriced":\#(sums.unpriced),"span_ms":\#(found.spanMilliseconds),\#
            "cut":\#(found.isCut)\#(member: "partial", found.isPartial ? true : nil)}
            """#
    )
}

/// Sends the client a list of the running requests, each in the form of a stored record.
private func listRunningRecords(_ visit: AdminVisit) async {
    let running = await visit.gateway.process.running.all(on: visit.gateway.loop)
    let writer = RecordWriter(visit)
    visit.send(running.map { writer.json(running: $0) }, total: running.count)
}

/// Handles GET /admin/req_logs/{id}: shows the stored record of one request.
func showRecord(_ visit: AdminVisit) async throws(APIError) {
    let reader = try recordReader(visit)
    guard let id = RecordID(text: visit.value("id")) else { throw APIError(404, "Not found") }
    let found = try await visit.read { (loop) async throws(UsageFailure) in try await reader.request(id, on: loop) }
    guard let found else { throw APIError(404, "Not found") }
    visit.send(data: RecordWriter(visit).json(found))
}

/// Handles DELETE of /admin/req_logs/{id} and /admin/req_logs/bulkDelete/{ids}: deletes stored records of requests.
func deleteRecords(_ visit: AdminVisit) async throws(APIError) {
    let reader = try recordReader(visit)
    let isBulk = visit.values["ids"] != nil
    let texts = (visit.values["ids"] ?? visit.value("id")).split(separator: ",").map(String.init)
    guard texts.count <= maxDeleted else { throw APIError(400, "At most \(maxDeleted) records are deleted at once.") }
    let ids = texts.compactMap { RecordID(text: $0) }
    guard isBulk || !ids.isEmpty else { throw APIError(404, "Not found") }
    guard ids.count == texts.count else {
        throw APIError(400, "The ids must be those of records, separated by commas.")
    }
    let count = try await visit.read { (loop) async throws(UsageFailure) in try await reader.delete(ids, on: loop) }
    guard count > 0 else { throw APIError(404, "Not found") }
    visit.record("delete records", texts.joined(separator: ","))
    visit.sendDone("Deleted")
}

private let maxDeleted = 1_000

/// Returns the reader of stored request records. Throws if the relay does not keep records yet.
func recordReader(_ visit: AdminVisit) throws(APIError) -> RecordReader {
    if let reader = visit.gateway.usage.reader { return reader }
    throw APIError(503, "No records are kept yet. Try again in a moment.")
}

extension AdminVisit {
    /// Runs `work`, which reads or deletes stored request records. Logs the cause of a failure.
    func read<Value>(_ work: (EventLoop) async throws(UsageFailure) -> Value) async throws(APIError) -> Value {
        do throws(UsageFailure) {
            return try await work(gateway.loop)
        } catch {
            if Task.isCancelled { throw .clientLeft }
            gateway.log.warning("usage records cannot be read") { $0.add("cause", error.cause) }
            throw APIError(503, "The usage records cannot be read at the moment. The log of the relay says why.")
        }
    }

    func usage(_ query: UsageQuery) async throws(APIError) -> UsageTable {
        let reader = try recordReader(self)
        return try await read { (loop) async throws(UsageFailure) in try await reader.usage(query, on: loop) }
    }
}

extension RecordID {
    init?(text: String) {
        guard let id = text.withBytes({ RecordID($0) }) else { return nil }
        self = id
    }
}
