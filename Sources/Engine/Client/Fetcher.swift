/// A downloader of callers' URLs. It is the only place where a caller makes this process open a connection.
///
/// The address rule is checked for the exact address that a socket connects to, after all parsing, resolving and
/// redirecting (`CurlClient.mayOpen`). So a name that changes its address, or an unusual notation, has no effect. No
/// proxy is used, because it would look up names itself, and no connection is kept.
///
/// `@unchecked`: only its loop's thread uses it.
package final class Fetcher: @unchecked Sendable {
    private let client: CurlClient
    private let conditions: FetchConditions
    private let headers: UpstreamHeaders
    private var running = 0

    /// The most concurrent fetches on one loop. Each may occupy a thread that looks up a name.
    package static let concurrent = 64
    private static let redirects = 3
    private static let urlLimitBytes = 8_192

    /// The options of all fetches.
    package struct FetchConditions: Sendable {
        /// The allowed schemes, of `https` and `http`.
        let schemes: [String]
        /// The name of this program that servers see.
        let agent: String
        /// A PEM file of certificates; nil for the system's.
        let certificateFile: String?
        /// The time limit for a fetch with all its redirects.
        let limitMilliseconds: UInt64

        package init(
            schemes: [String],
            agent: String,
            certificateFile: String? = nil,
            limitMilliseconds: UInt64 = 10_000
        ) {
            self.schemes = schemes
            self.agent = agent
            self.certificateFile = certificateFile
            self.limitMilliseconds = limitMilliseconds
        }
    }

    /// - Parameter client: a client that has an address rule.
    package init(_ conditions: FetchConditions, _ client: CurlClient) {
        self.client = client
        self.conditions = conditions
        headers = UpstreamHeaders(["User-Agent: \(conditions.agent)", "Accept: */*"])
    }

    /// Downloads a URL and returns the body of a response with status 200. Throws if it has more than `limitBytes`.
    package func fetch(_ url: String, limitBytes: Int) async throws(FetchFailure) -> Body {
        guard running < Self.concurrent else { throw FetchFailure(.busy, "too many fetches") }
        running += 1
        defer { running -= 1 }
        let deadline = LoopTime.current() + conditions.limitMilliseconds * 1_000_000
        var response = try await response(to: url, limitBytes, deadline, isFirst: true)
        var followed = 0
        while let next = response.head.redirectURL {
            guard followed < Self.redirects else { throw FetchFailure(.unavailable, "too many redirects") }
            followed += 1
            response = try await self.response(to: next, limitBytes, deadline, isFirst: false)
        }
        guard response.head.status == 200 else { throw FetchFailure(.unavailable, "status \(response.head.status)") }
        return response.body
    }

    private func response(
        to url: String,
        _ limitBytes: Int,
        _ deadline: LoopTime,
        isFirst: Bool
    ) async throws(FetchFailure) -> UpstreamResponse {
        let now = LoopTime.current()
        guard now + 1_000_000 < deadline else { throw FetchFailure(.unavailable, "out of time") }
        let milliseconds = deadline.milliseconds(since: now)
        var options = EndpointOptions()
        options.connectMilliseconds = milliseconds
        options.firstByteMilliseconds = milliseconds
        options.idleMilliseconds = milliseconds
        options.totalMilliseconds = milliseconds
        options.certificateFile = conditions.certificateFile
        options.responseLimitBytes = limitBytes
        guard url.utf8.count <= Self.urlLimitBytes, let endpoint = Endpoint(url, options),
            endpoint.isPlain(conditions.schemes)
        else {
            // The server chose the target of a redirect, not the caller.
            throw isFirst
                ? FetchFailure(.badURL, "not a URL that the relay may download")
                : FetchFailure(.unavailable, "redirected to a URL that the relay must not download")
        }
        do throws(TransportError) {
            return try await client.send(UpstreamCall(endpoint: endpoint, headers: headers, body: nil))
        } catch {
            switch error.kind {
            case .tooLarge: throw FetchFailure(.tooLarge, "over \(limitBytes) bytes")
            case .cancelled: throw FetchFailure(.cancelled, "cancelled")
            case .overloaded: throw FetchFailure(.busy, "no memory")
            default: throw FetchFailure(.unavailable, "\(error.kind), code \(error.code)")
            }
        }
    }
}

/// The reason why nothing was fetched. Callers may learn only the kind. An address that is refused, has no server, or
/// has a slow or refusing one looks the same to them. Otherwise a caller could use the relay to explore a network.
package struct FetchFailure: Error {
    package enum Kind: Sendable {
        /// The text is not a URL, or is a URL that must not be fetched.
        case badURL
        /// Nothing could be downloaded from the address.
        case unavailable
        case tooLarge
        /// Too many fetches are running.
        case busy
        /// The caller has left.
        case cancelled
    }
    package let kind: Kind
    /// The cause for the log. It contains no address.
    package let cause: String

    init(_ kind: Kind, _ cause: String) {
        self.kind = kind
        self.cause = cause
    }
}
