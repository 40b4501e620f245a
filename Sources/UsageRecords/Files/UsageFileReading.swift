import Engine
import Glibc
import Shared

/// Sums up the usage records in JSON files, for the `usage` command.
package struct UsageFileReading {
    private static let chunkBytes = 64 << 10
    /// The longest line that is read as a usage record, in bytes. Longer lines count as invalid.
    private static let lineBytes = 64 << 10
    /// The largest number of groups. Records of further groups are only added to the total.
    private static let maxGroups = 100_000

    /// The byte between a session or end user and its caller in the name of a group. No header field can contain it, and JSON escapes it.
    private static let separator: UInt8 = 0

    private let question: UsageReportQuery
    private let first: [UInt8]
    private let parser = JSONParser()
    /// The sums of each group, by the group's name, such as a model's name. Records without a name are in the group
    /// with the empty name.
    private var groups: [[UInt8]: UsageFigures] = [:]
    private var summary: UsageSummary

    private init(_ question: UsageReportQuery) {
        self.question = question
        // The times in the lines are UTC.
        summary = UsageSummary(question, in: .utc)
        first = Array(summary.first.text.utf8)
    }

    /// Returns the sums of the usage records in the files; nil if there are no files.
    /// - Parameters:
    ///   - path: the path of the current file; rotated files have the endings `.1`, `.2` and so on.
    ///   - files: the largest number of files, including the current one.
    package static func summary(
        _ path: String,
        files: Int,
        _ question: UsageReportQuery
    ) throws(UsageFailure) -> UsageSummary? {
        var reading = UsageFileReading(question)
        // All files are opened before the first is read, so that a rotation in between reads no file twice.
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        for number in (0..<files).reversed() {
            let name = number == 0 ? path : path + ".\(number)"
            let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
            if descriptor >= 0 {
                descriptors.append(descriptor)
            } else if errno != ENOENT {
                throw UsageFailure.system(name)
            }
        }
        if descriptors.isEmpty { return nil }
        for descriptor in descriptors { try reading.read(descriptor, path) }
        return reading.ended()
    }

    private mutating func read(_ descriptor: Int32, _ path: String) throws(UsageFailure) {
        var buffer = ByteBuffer()
        // The rest of a line that is too long is skipped.
        var isPassing = false
        while true {
            let count = Glibc.read(descriptor, buffer.reserve(Self.chunkBytes), Self.chunkBytes)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw UsageFailure.system(path) }
            if count == 0 { break }
            buffer.wrote(count)
            while let end = buffer.bytes.firstNewline() {
                if isPassing { isPassing = false } else { consume(buffer.bytes[part: 0..<end]) }
                buffer.removeFirst(end + 1)
            }
            if buffer.count > Self.lineBytes {
                if !isPassing { summary.badLines += 1 }
                isPassing = true
                buffer.removeAll()
            }
        }
        // An incomplete last line, which the relay is still writing, is not counted.
    }

    private mutating func consume(_ line: UnsafeRawBufferPointer) {
        guard line.count <= Self.lineBytes, let root = try? parser.parse(line), let time = root["time"]?.text,
            time.count >= 10, Day(time[part: 0..<10]) != nil, root["request_id"]?.text != nil,
            let isSuccess = root["success"]?.flag
        else {
            summary.badLines += 1
            return
        }
        let day = time[part: 0..<10]
        guard question.isOfCalls == (root["kind"]?.text == "call"), !day.lexicographicallyPrecedes(first) else {
            return
        }
        let name: UnsafeRawBufferPointer? =
            switch question.group {
            case .caller, .key, .group: root["caller"]?.text
            case .model: root["model"]?.text
            case .provider: root["provider"]?.text
            case .day: day
            case .session: root["session"]?.text
            case .user: root["user"]?.text
            case .cause: nil
            }
        let figures = Self.figures(root, isSuccess: isSuccess)
        summary.total += figures
        var key = Array((name ?? day[part: 0..<0]).prefix(UsageRecord.textBound))
        if question.group == .cause { key = Array(Self.cause(root, isSuccess: isSuccess).utf8) }
        if question.hasCallers, !key.isEmpty {
            key.append(Self.separator)
            key += (root["caller"]?.text ?? day[part: 0..<0]).prefix(UsageRecord.textBound)
        }
        guard groups[key] != nil || groups.count < Self.maxGroups else {
            summary.isCut = true
            return
        }
        groups[key, default: UsageFigures()] += figures
    }

    private static func cause(_ root: JSONValue, isSuccess: Bool) -> String {
        if let error = root["error"]?.string { return error }
        if !isSuccess { return root["status"]?.integer.map { "\($0)" } ?? "" }
        return root["lowered_max_tokens"] == nil ? "" : UsageRecord.loweredCause
    }

    /// The largest cost in dollars that is read from a line. `Cost` cannot represent larger costs.
    private static let maxDollars = 9_000_000.0

    private static func figures(_ root: JSONValue, isSuccess: Bool) -> UsageFigures {
        var figures = UsageFigures()
        figures.requests = 1
        figures.failed = isSuccess ? 0 : 1
        figures.promptTokens = Int(root["prompt_tokens"]?.integer ?? 0)
        figures.completionTokens = Int(root["completion_tokens"]?.integer ?? 0)
        figures.cachedTokens = Int(root["cached_tokens"]?.integer ?? 0)
        figures.cacheWrites = Int(root["cache_writes"]?.integer ?? 0)
        figures.longCacheWrites = Int(root["cache_writes_1h"]?.integer ?? 0)
        // The file has ten decimals. A Double of this size keeps all of them.
        figures.costPicodollars = root["cost"]?.number.flatMap { dollars in
            abs(dollars) <= maxDollars ? Int128(exactly: (dollars * 1e10).rounded()).map { $0 * 100 } : nil
        }
        figures.unpriced = figures.costPicodollars == nil && root["provider"]?.text != nil ? 1 : 0
        return figures
    }

    private consuming func ended() -> UsageSummary {
        var rows = groups.map { key, figures in
            let parts = question.hasCallers ? key.split(separator: Self.separator, maxSplits: 1) : [key[...]]
            let texts = parts.map { $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self) }
            return UsageSummary.Row(
                name: texts.first ?? nil,
                caller: texts.count > 1 ? texts[1] : nil,
                figures: figures
            )
        }
        let isByDay = question.group == .day
        rows.sort { one, other in
            if !isByDay, one.figures.requests != other.figures.requests {
                return one.figures.requests > other.figures.requests
            }
            return (one.name ?? "").utf8.lexicographicallyPrecedes((other.name ?? "").utf8)
        }
        summary.set(rows, of: question)
        return summary
    }
}
