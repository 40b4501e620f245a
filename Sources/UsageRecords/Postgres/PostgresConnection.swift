import CPostgres
import Engine
import Glibc
import Shared

/// The URL of a PostgreSQL server, which may contain a password.
struct PostgresAddress: Sendable {
    fileprivate let url: String
    private let secrets: [String]
    /// The paths of files of certificates in the URL, by the names of their parameters.
    let certificateFiles: [(name: String, path: String)]
    private static let shownBytes = 300
    /// The reason why a URL is no address, and its right form.
    static let rejection =
        "libpq rejects this URL; write it as postgres://user:password@host:5432/database?sslmode=verify-full"

    /// Parses a URL. Returns nil if libpq rejects it.
    init?(_ url: String) {
        var cause: UnsafeMutablePointer<CChar>?
        // The cause is not shown, since it may quote a part of the password.
        guard let options = PQconninfoParse(url, &cause) else {
            PQfreemem(cause)
            return nil
        }
        var (secrets, files): ([String], [(name: String, path: String)]) = ([], [])
        var option = options
        while let keyword = option.pointee.keyword {
            let (name, value) = (String(cString: keyword), option.pointee.val.map { String(cString: $0) } ?? "")
            if ["password", "sslpassword"].contains(name) { secrets.append(value) }
            if ["sslrootcert", "sslcert"].contains(name), !value.isEmpty, value != "system" {
                files.append((name, value))
            }
            option += 1
        }
        PQconninfoFree(options)
        self.url = url
        self.secrets = secrets.filter { !$0.isEmpty }
        certificateFiles = files
    }

    /// Returns the first line of a message from libpq or the server, with masked passwords.
    fileprivate func shown(_ message: UnsafePointer<CChar>?) -> String {
        guard let message else { return "unknown cause" }
        let line = String(cString: message).prefix { !$0.isNewline }
        let text = secrets.reduce(String(line)) { $0.replacing($1, with: "...") }
        return text.isEmpty ? "the server gave no reason" : text.beginning(ofBytes: Self.shownBytes)
    }
}

/// An error that libpq or a PostgreSQL server reported.
struct PostgresFailure: UsageDatabaseFailure {
    /// The description of the error. It contains no password.
    let text: String
    /// The SQLSTATE code of the error, such as `57014`; empty if the PostgreSQL server sent no code.
    var state = ""

    /// Whether the PostgreSQL server rejected the values of a statement.
    var isOfData: Bool { state.hasPrefix("22") }

    /// Whether the PostgreSQL server stopped a slow statement. The connection can still be used.
    var isInterrupt: Bool { state == "57014" }

    var isOfMissingTable: Bool { state == "42P01" }

    /// Whether the database user lacks a permission.
    var isPermissionDenied: Bool { state == "42501" }
}

/// A connection to a PostgreSQL server, used by one thread at a time.
///
/// The connection can be used after a rejected statement, but not after any other failure.
final class PostgresConnection {
    private let handle: OpaquePointer
    private let address: PostgresAddress
    private let timeoutMilliseconds: Int

    private init(_ handle: OpaquePointer, _ address: PostgresAddress, timeoutMilliseconds: Int) {
        self.handle = handle
        self.address = address
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    deinit { PQfinish(handle) }

    /// The timeouts of a connection.
    struct Patience: Sendable {
        /// The timeout for connecting to each host of the URL, at least 2.
        var connectSeconds = 3
        /// The timeout of each statement.
        var statementMilliseconds = 5_000
    }

    /// Opens a connection to the server.
    static func open(
        _ address: PostgresAddress,
        _ patience: Patience
    ) throws(PostgresFailure) -> PostgresConnection {
        // Parameters after the URL (`dbname`) override those in it.
        let names = ["dbname", "connect_timeout", "client_encoding", "fallback_application_name"]
        let values = [address.url, "\(patience.connectSeconds)", "UTF8", Product.name]
        let handle = withTexts(names) { names in withTexts(values) { values in PQconnectdbParams(names, values, 1) } }
        guard let handle else { throw PostgresFailure(text: "out of memory") }
        let connection = PostgresConnection(handle, address, timeoutMilliseconds: patience.statementMilliseconds)
        guard relay_pq_is_connected(handle) != 0 else { throw connection.failure() }
        relay_pq_silence(handle)
        PQsetnonblocking(handle, 1)
        // Without this, a statement could continue after its client has given up.
        _ = try connection.run("SET statement_timeout = \(patience.statementMilliseconds)")
        return connection
    }

    /// Runs SQL and returns the rows of its last statement. `values` are for the parameters `$1`, `$2` and so on. With
    /// values, `sql` must be a single statement.
    func run(_ sql: String, _ values: PostgresValues? = nil) throws(PostgresFailure) -> [[String?]] {
        let end = LoopTime.current().adding(milliseconds: timeoutMilliseconds)
        try send(sql, values, until: end)
        var rows: [[String?]] = []
        var mistake: PostgresFailure?
        while let result = try result(until: end) {
            if relay_pq_succeeded(result) != 0 { rows = self.rows(result) } else { mistake = failure(result) }
            PQclear(result)
        }
        if let mistake { throw mistake }
        return rows
    }

    /// Runs SQL and returns the first value of the first row; nil if there is none, or if it is NULL.
    func value(_ sql: String, _ values: PostgresValues? = nil) throws(PostgresFailure) -> String? {
        try run(sql, values).first?.first ?? nil
    }

    func number(_ sql: String, _ values: PostgresValues? = nil) throws(PostgresFailure) -> Int? {
        try value(sql, values).flatMap { Int($0) }
    }

    /// Starts a slow statement and does not wait for its end. The connection is busy until `hasFinished()` returns
    /// true.
    func start(_ sql: String) throws(PostgresFailure) {
        try send(sql, nil, until: LoopTime.current().adding(milliseconds: timeoutMilliseconds))
    }

    /// Returns whether the statement that `start` began has finished. Throws if the statement failed.
    func hasFinished() throws(PostgresFailure) -> Bool {
        guard PQconsumeInput(handle) != 0 else { throw failure() }
        while PQisBusy(handle) == 0 {
            guard let result = PQgetResult(handle) else { return true }
            defer { PQclear(result) }
            if relay_pq_succeeded(result) == 0 { throw failure(result) }
        }
        return false
    }

    private func send(_ sql: String, _ values: PostgresValues?, until end: LoopTime) throws(PostgresFailure) {
        let isSent =
            if let values {
                values.withPointers { texts in
                    PQsendQueryParams(handle, sql, Int32(texts.count), nil, texts.baseAddress, nil, nil, 0)
                }
            } else { PQsendQuery(handle, sql) }
        guard isSent != 0 else { throw failure() }
        while true {
            let left = PQflush(handle)
            guard left >= 0 else { throw failure() }
            if left == 0 { break }
            try wait(Int16(POLLIN | POLLOUT), until: end)
            guard PQconsumeInput(handle) != 0 else { throw failure() }
        }
    }

    /// Returns the next result of the statements that were sent; nil if there are no more results.
    private func result(until end: LoopTime) throws(PostgresFailure) -> OpaquePointer? {
        while PQisBusy(handle) != 0 {
            try wait(Int16(POLLIN), until: end)
            guard PQconsumeInput(handle) != 0 else { throw failure() }
        }
        return PQgetResult(handle)
    }

    private func wait(_ events: Int16, until end: LoopTime) throws(PostgresFailure) {
        var wanted = pollfd(fd: PQsocket(handle), events: events, revents: 0)
        while true {
            let left = end.milliseconds(since: .current())
            guard left > 0 else {
                throw PostgresFailure(text: "the server did not respond within \(timeoutMilliseconds) ms")
            }
            let count = poll(&wanted, 1, Int32(clamping: left))
            if count > 0 || count < 0 && errno != EINTR { return }
        }
    }

    private func rows(_ result: OpaquePointer) -> [[String?]] {
        (0..<PQntuples(result)).map { row in
            (0..<PQnfields(result)).map { column in
                if PQgetisnull(result, row, column) != 0 { return nil }
                return PQgetvalue(result, row, column).map { String(cString: $0) }
            }
        }
    }

    private func failure() -> PostgresFailure { PostgresFailure(text: address.shown(PQerrorMessage(handle))) }

    private func failure(_ result: OpaquePointer) -> PostgresFailure {
        let state = relay_pq_state(result).map { String(cString: $0) }
        return PostgresFailure(text: address.shown(PQresultErrorMessage(result)), state: state ?? "")
    }
}

/// The parameter values of a statement, as zero-terminated texts.
final class PostgresValues {
    var bytes = ByteBuffer()
    private var starts: [Int] = []

    init(_ values: [FilterSQL.Value] = []) {
        for value in values {
            switch value {
            case .number(let number): add("\(number)")
            case .text(let text): add(text)
            }
        }
    }

    /// Ends the next value, whose text was appended to `bytes` from the offset `start` on.
    func end(of start: Int) {
        bytes.append(0 as UInt8)
        starts.append(start)
    }

    /// Adds a text as the next value. Zero bytes in the text become `?`.
    func add(_ text: String) {
        let start = bytes.count
        for byte in text.utf8 { bytes.append(byte == 0 ? UInt8(ascii: "?") : byte) }
        end(of: start)
    }

    fileprivate func withPointers<Result>(_ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result) -> Result {
        let base = bytes.bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        return starts.map { start in base.map { $0 + start } }.withUnsafeBufferPointer(body)
    }
}

/// Calls `body` with the texts as an array of C strings. A null pointer ends the array.
private func withTexts<Result>(
    _ texts: [String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result?
) -> Result? {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    let pointers = copies.map { UnsafePointer($0) } + [nil]
    return pointers.withUnsafeBufferPointer { $0.baseAddress.flatMap(body) }
}
