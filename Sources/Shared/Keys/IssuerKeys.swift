package import Engine

/// The public keys of the issuers of signed tokens. They are read when a token needs them, by one event loop for all.
package final class IssuerKeys: Sendable {
    private let states = Lock<[String: IssuerState]>([:])

    private static let documentBytes = 262_144

    package init() {}

    /// Returns the key of this name. Asks the issuer if the name is unknown, or if the keys are older than an hour. Throws an
    /// error for the client if there is no such key, or if the issuer cannot be asked and no key is known.
    package func key(
        named name: IssuedKey.Name,
        of issuer: String,
        by fetcher: () -> Fetcher,
        on loop: EventLoop,
        _ log: Log
    ) async throws(APIError) -> VerifyingKey {
        while true {
            let now = loop.now
            switch states.withLock({ $0[issuer, default: IssuerState()].step(name, at: now) }) {
            case .key(let key): return key
            case .unknown: throw .tokenNotAccepted("its issuer has no such key")
            case .unavailable(let seconds):
                let message = "The issuer of this token cannot be reached. Try again in \(seconds) s."
                throw APIError(
                    503,
                    message,
                    type: "server_error",
                    code: "issuer_unavailable",
                    retryAfterSeconds: seconds
                )
            case .reading(let begins):
                if begins {
                    let fetcher = fetcher()
                    // The client of this request may disconnect, but others wait, too.
                    Task(executorPreference: loop) { await self.read(issuer, by: fetcher, on: loop, log) }
                }
                await wait(for: issuer)
                if Task.isCancelled { throw .clientLeft }
            }
        }
    }

    /// Waits until the issuer has been asked: at most as long as the two downloads may take.
    private func wait(for issuer: String) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isOver = states.withLock { states in
                guard states[issuer]?.isReading ?? false else { return true }
                states[issuer]?.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func read(_ issuer: String, by fetcher: Fetcher, on loop: EventLoop, _ log: Log) async {
        let (keys, problem) = await Self.keys(of: issuer, by: fetcher)
        let now = loop.now
        let waiting = states.withLock { $0[issuer, default: IssuerState()].store(keys, at: now) }
        // Each continues on its own loop.
        for continuation in waiting { continuation.resume() }
        guard let problem else { return }
        log.warning("the keys of an issuer could not be read") { line in
            line.add("issuer", issuer)
            line.add("cause", problem)
        }
    }

    /// Asks an issuer for its keys. Returns why it cannot serve; nil if it can.
    package static func problem(of issuer: String, by fetcher: Fetcher) async -> String? {
        await keys(of: issuer, by: fetcher).problem
    }

    private static func keys(of issuer: String, by fetcher: Fetcher) async -> (keys: [IssuedKey], problem: String?) {
        do throws(FetchFailure) {
            guard let location = try await location(issuer, by: fetcher) else {
                return ([], "its openid-configuration has another issuer, or no jwks_uri")
            }
            let body = try await fetcher.fetch(location, limitBytes: documentBytes)
            let keys = JSONDocument(body).map(IssuedKey.all) ?? []
            return (keys, keys.isEmpty ? "it has no key for RS256, ES256 or EdDSA" : nil)
        } catch {
            return ([], error.cause)
        }
    }

    /// Returns the URL of the issuer's keys (OpenID Connect Discovery 1.0); nil if the document is not the issuer's.
    private static func location(_ issuer: String, by fetcher: Fetcher) async throws(FetchFailure) -> String? {
        let url = "\(issuer)/.well-known/openid-configuration"
        let document = JSONDocument(try await fetcher.fetch(url, limitBytes: documentBytes))
        return document?.read { $0["issuer"]?.isIssuer(issuer) ?? false ? $0["jwks_uri"]?.string : nil }
    }
}
