/// Gets what a caller's URL names: the one place where a caller makes this process connect somewhere.
///
/// The rule is asked about the very address that a socket is opened to, after all parsing, resolving and redirecting
/// (`CurlClient.mayOpen`), so a name that changes its address, or an odd way of writing one, changes nothing. No
/// proxy is used, which would look up names itself, and no connection is kept.
///
/// `@unchecked`: only its loop's thread touches it.
package final class Fetcher: @unchecked Sendable {
    private let client: CurlClient
    private let terms: Terms
    private let headers: UpstreamHeaders
    private var running = 0

    /// Of one loop; each may have a thread that looks up its name.
    package static let concurrent = 64
    private static let redirects = 3
    private static let urlLimitBytes = 8_192

    /// The terms of all fetches.
    package struct Terms: Sendable {
        /// Of `https`, `http`.
        let schemes: [String]
        /// The name of this program, as servers see it.
        let agent: String
        /// A PEM file; nil: the system's.
        let certificateFile: String?
        /// For a fetch with all its redirects.
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

    /// - Parameter client: has a rule.
    package init(_ terms: Terms, _ client: CurlClient) {
        self.client = client
        self.terms = terms
        headers = UpstreamHeaders(["User-Agent: \(terms.agent)", "Accept: */*"])
    }

    /// The body of a 200, of at most `limitBytes`.
    package func fetch(_ url: String, limitBytes: Int) async throws(FetchFailure) -> Body {
        guard running < Self.concurrent else { throw FetchFailure(.busy, "too many fetches") }
        running += 1
        defer { running -= 1 }
        let deadline = LoopTime.current() + terms.limitMilliseconds * 1_000_000
        var reply = try await reply(to: url, limitBytes, deadline, isFirst: true)
        var followed = 0
        while let next = reply.head.redirectURL {
            guard followed < Self.redirects else { throw FetchFailure(.unavailable, "too many redirects") }
            followed += 1
            reply = try await self.reply(to: next, limitBytes, deadline, isFirst: false)
        }
        guard reply.head.status == 200 else { throw FetchFailure(.unavailable, "status \(reply.head.status)") }
        return reply.body
    }

    private func reply(
        to url: String,
        _ limitBytes: Int,
        _ deadline: LoopTime,
        isFirst: Bool
    ) async throws(FetchFailure) -> UpstreamReply {
        let now = LoopTime.current()
        guard now + 1_000_000 < deadline else { throw FetchFailure(.unavailable, "out of time") }
        let milliseconds = deadline.milliseconds(since: now)
        var options = EndpointOptions()
        options.connectMilliseconds = milliseconds
        options.firstByteMilliseconds = milliseconds
        options.idleMilliseconds = milliseconds
        options.totalMilliseconds = milliseconds
        options.certificateFile = terms.certificateFile
        options.answerLimitBytes = limitBytes
        guard url.utf8.count <= Self.urlLimitBytes, let endpoint = Endpoint(url, options),
            endpoint.isPlain(terms.schemes)
        else {
            // The server chose the target of a redirect, not the caller.
            throw isFirst
                ? FetchFailure(.badURL, "not a URL that is fetched")
                : FetchFailure(.unavailable, "redirected to a URL that is not fetched")
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

/// Why nothing was fetched. What a caller may know of it is the kind alone: whether an address was refused, has no
/// server, or has one that is slow or says no, all look alike, or a relay could be used to look around in a network.
package struct FetchFailure: Error {
    package enum Kind: Sendable {
        /// No URL, or none of a kind that is fetched.
        case badURL
        /// The address brought nothing.
        case unavailable
        case tooLarge
        /// Too many fetches run.
        case busy
        /// Whoever wanted it has left.
        case cancelled
    }
    package let kind: Kind
    /// For the log; names no address.
    package let cause: String

    init(_ kind: Kind, _ cause: String) {
        self.kind = kind
        self.cause = cause
    }
}
