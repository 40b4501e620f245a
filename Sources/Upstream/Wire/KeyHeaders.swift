import Engine
import Limits
import Shared

/// Makes the header lines of calls to a vendor, and caches them for each key.
final class KeyHeaders: OnLoop, @unchecked Sendable {
    private let own: [String]
    private let lines: @Sendable (String) -> [String]
    private var known = RecentTable<String, UpstreamHeaders>()

    /// The largest number of cached keys. Clients choose up to 1,600 bytes of each, so all take at most about 1 MB.
    private static let keptKeys = 256

    /// - Parameters:
    ///   - own: the settings' header lines, which replace the relay's lines of the same names.
    ///   - lines: returns the relay's header lines for a key; the key is empty if the vendor needs none.
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

    /// Returns the error without those of its texts that contain a secret: `token`, or a long word of a value in the
    /// settings' header lines.
    func hiding(_ error: UpstreamError, _ token: String? = nil) -> UpstreamError {
        func isSecret(_ text: String?) -> Bool {
            guard let text else { return false }
            return areReported(in: text) || token.map { text.utf8.contains($0.utf8) } ?? false
        }
        var error = error
        if isSecret(error.passed?.text) { error.passed = nil }
        if isSecret(error.message) { error.message = "" }
        if isSecret(error.param) { error.param = nil }
        if isSecret(error.code) { error.code = nil }
        if error.refusal?.status == 413, isSecret(error.refusal?.message) { error.refusal = .tooLargeForProvider }
        return error
    }

    private func areReported(in text: String) -> Bool {
        own.contains { line in
            line.split { $0.isWhitespace || $0 == ":" || $0 == "," }.dropFirst().contains { word in
                word.utf8.count >= Self.minSecretBytes && text.utf8.contains(word.utf8)
            }
        }
    }

    /// The smallest length, in bytes, of a word in the settings' header lines that counts as a secret.
    private static let minSecretBytes = 8

    /// Returns the header lines for a key with `new` in place of those of the same names. The result is not cached.
    func headers(for key: String, replacing new: [String]) -> UpstreamHeaders {
        let names = new.map(\.headerName)
        func isOther(_ line: String) -> Bool { !names.contains(line.headerName) }
        return made(own.filter(isOther), lines(key).filter(isOther) + new)
    }

    private func made(_ own: [String], _ lines: [String]) -> UpstreamHeaders { UpstreamHeaders(joined(own, lines)) }

    private func joined(_ own: [String], _ lines: [String]) -> [String] {
        // libcurl formats the lines again for each call, byte by byte, so they are few and short.
        let lines = lines + ["Expect:", "User-Agent: relay"]
        if own.isEmpty { return lines }
        let names = own.map(\.headerName)
        return own + lines.filter { !names.contains($0.headerName) }
    }

    /// The largest size in bytes of a client's own values, version and betas, for which the header lines are cached.
    private static let keptClientBytes = 1_024
    /// The beginnings of the names of the response's fields that a client of the Messages API may get.
    private static let messageFields: [StaticString] = [
        "request-id", "anthropic-ratelimit-", "anthropic-organization-id",
    ]

    /// Returns the header lines of a call that passes a client's Messages request on.
    /// - Parameters:
    ///   - client: the client's own lines. Its betas follow those of the settings.
    ///   - refused: the betas that the vendor does not know, which are left out.
    ///   - isCallersKey: whether the key is the caller's own, which goes on in the way in which it came.
    func headers(
        for key: String,
        passing client: MessageHeaders,
        without refused: [String],
        isCallersKey: Bool
    ) -> UpstreamHeaders {
        let hasBearer = isCallersKey && client.hasBearer
        let clientBytes = client.betas.utf8.count + (client.version?.utf8.count ?? 0)
        let isKept = clientBytes <= Self.keptClientBytes && refused.isEmpty
        let id = "\(key)\n\(hasBearer)\n\(client.version ?? "")\n\(client.betas)"
        if isKept, let known = known.use(id) { return known }
        var lines: [String] = []
        var betas: [String] = []
        for line in joined(own, self.lines(key)) {
            switch line.headerName {
            case "anthropic-version" where client.version != nil: continue
            case "anthropic-beta": betas += line.drop { $0 != ":" }.dropFirst().betas
            case "x-api-key" where hasBearer: lines.append("Authorization: Bearer \(key)")
            default: lines.append(line)
            }
        }
        if let version = client.version { lines.append("anthropic-version: \(version)") }
        let isChanged = !betas.isEmpty || !refused.isEmpty
        betas += client.betas.betas
        var shown: [String] = []
        for beta in betas where !shown.contains(beta) && !refused.contains(beta) { shown.append(beta) }
        if !shown.isEmpty {
            let isAsSent = !isChanged && shown.count == betas.count
            lines.append("anthropic-beta: \(isAsSent ? client.betas : shown.joined(separator: ","))")
        }
        let new = UpstreamHeaders(lines, keeping: Self.messageFields)
        if isKept { self.known.set(id, new, atMost: Self.keptKeys) }
        return new
    }
}

extension StringProtocol {
    /// The names in a value of the header field `anthropic-beta`, which are separated by commas.
    var betas: [String] {
        split(separator: ",").compactMap { name in
            let name = String(name).withBytes { $0.trimmed.text }
            return name.isEmpty ? nil : name
        }
    }
}

extension Transport {
    /// Returns whether the vendor accepts the key. Also true if the vendor cannot be reached.
    func accepts(_ key: String, at endpoint: Endpoint, _ headers: KeyHeaders, refusals: [Int] = [401]) async -> Bool {
        let call = UpstreamCall(endpoint: endpoint, headers: headers.headers(for: key), body: nil)
        do throws(TransportError) {
            return try await !refusals.contains(send(call).head.status)
        } catch {
            return true
        }
    }
}

extension EndpointOptions {
    /// A copy of the options for a call that only checks a key, with a short time limit.
    var forChecks: EndpointOptions {
        var options = self
        options.totalMilliseconds = min(totalMilliseconds, connectMilliseconds)
        return options
    }
}
