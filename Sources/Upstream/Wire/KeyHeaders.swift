import Calls
import Engine
import Limits
import Shared

/// The header lines of calls to a vendor, cached by key.
///
/// `@unchecked`: used on its loop only.
final class KeyHeaders: @unchecked Sendable {
    private let own: [String]
    private let lines: @Sendable (String) -> [String]
    private var known = RecentTable<String, UpstreamHeaders>()

    private static let keptKeys = 1_024

    /// - Parameters:
    ///   - own: the operator's header lines, which replace others of the same name.
    ///   - lines: returns the header lines for a key; the key is empty if the vendor needs no key.
    init(own: [String] = [], _ lines: @escaping @Sendable (String) -> [String]) {
        self.own = own
        self.lines = lines
    }

    func headers(for key: String) -> UpstreamHeaders {
        if let known = known.use(key) { return known }
        let new = made(own, lines(key))
        known.set(key, new, atMost: Self.keptKeys)
        return new
    }

    /// Returns the error, without its message if that repeats a value of the operator's header lines or the token of
    /// the call.
    func hiding(_ error: UpstreamError, _ token: String? = nil) -> UpstreamError {
        guard !error.message.isEmpty else { return error }
        guard areReported(in: error.message) || token.map(error.message.contains) ?? false else { return error }
        var error = error
        error.message = ""
        return error
    }

    private func areReported(in text: String) -> Bool {
        own.contains { line in
            line.split { $0.isWhitespace || $0 == ":" || $0 == "," }.dropFirst().contains { word in
                word.utf8.count >= Self.minSecretBytes && text.contains(word)
            }
        }
    }

    /// The shortest value of a header line that is treated as secret, in bytes.
    private static let minSecretBytes = 8

    /// Returns the header lines of one call with another content type.
    func headers(for key: String, contentType: String) -> UpstreamHeaders {
        func isOther(_ line: String) -> Bool { line.headerName != "content-type" }
        return made(own.filter(isOther), lines(key).filter(isOther) + ["Content-Type: \(contentType)"])
    }

    private func made(_ own: [String], _ lines: [String]) -> UpstreamHeaders {
        // libcurl formats the lines again for each call, byte by byte, so they are few and short.
        let lines = lines + ["Expect:", "User-Agent: relay"]
        if own.isEmpty { return UpstreamHeaders(lines) }
        let names = own.map(\.headerName)
        return UpstreamHeaders(own + lines.filter { !names.contains($0.headerName) })
    }
}

extension Transport {
    /// Returns whether the vendor accepts the key; true also if the vendor cannot be reached.
    ///
    /// - Parameter refusals: the statuses that mean a refused key.
    func accepts(
        _ key: String,
        at endpoint: Endpoint,
        _ headers: KeyHeaders,
        refusals: [Int] = [401]
    ) async -> Bool {
        let call = UpstreamCall(endpoint: endpoint, headers: headers.headers(for: key), body: nil)
        do throws(TransportError) {
            return try await !refusals.contains(send(call).head.status)
        } catch {
            return true
        }
    }
}

extension EndpointOptions {
    /// The options for a call that only checks a key: its total time is at most the time for connecting.
    var forChecks: EndpointOptions {
        var options = self
        options.totalMilliseconds = min(totalMilliseconds, connectMilliseconds)
        return options
    }
}
