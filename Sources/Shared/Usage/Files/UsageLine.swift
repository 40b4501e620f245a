import Engine

/// A writer of usage records as lines of JSON: one line for a request, and one for each upstream call.
struct UsageLine {
    private var timestamp = Timestamp()

    mutating func append(_ request: FinishedRequest, to out: inout ByteBuffer) {
        for record in request.records {
            out.append("{\"time\":\"")
            timestamp.append(milliseconds: record.timeMilliseconds, to: &out)
            out.append("\"")
            for column in UsageColumn.written { column.append(record, to: &out) }
            out.append("}\n")
        }
    }
}
