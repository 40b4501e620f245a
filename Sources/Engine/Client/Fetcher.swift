import Glibc

/// A downloader for URLs that callers send, or that the settings name. The address rule of its client checks each address to
/// which libcurl connects.
package final class Fetcher: OnLoop, @unchecked Sendable {
    private let client: CurlClient
    private let conditions: FetchConditions
    private let headers: UpstreamHeaders
    private var running = 0

    /// The largest number of concurrent fetches on one loop.
    package static let concurrent = 64  // Each can occupy a thread that resolves a host name.
    private static let redirects = 3
    private static let urlLimitBytes = 8_192

    /// The options that apply to all fetches.
    package struct FetchConditions: Sendable {
        /// The allowed URL schemes: `https`, or both `https` and `http`.
        let schemes: [String]
        /// The `User-Agent` that the relay sends to the hosts from which it downloads.
        let agent: String
        /// The PEM file of certificates trusted in addition to the system's; nil if there is none.
        let certificateFile: String?
        /// The URL of the proxy; empty if no proxy is used.
        let proxy: String
        /// The time limit for one fetch with all its redirects, in milliseconds.
        let limitMilliseconds: UInt64

        package init(
            schemes: [String],
            agent: String,
            certificateFile: String? = nil,
            proxy: String = "",
            limitMilliseconds: UInt64 = 10_000
        ) {
            self.schemes = schemes
            self.agent = agent
            self.certificateFile = certificateFile
            self.proxy = proxy
            self.limitMilliseconds = limitMilliseconds
        }
    }

    /// Creates a fetcher. If callers send the URLs, the client must have an address rule.
    package init(_ conditions: FetchConditions, _ client: CurlClient) {
        self.client = client
        self.conditions = conditions
        headers = UpstreamHeaders(["User-Agent: \(conditions.agent)", "Accept: */*"])
    }

    /// Downloads a URL and returns the response's body. Throws if the status is not 200 or the body is larger than
    /// `limitBytes`.
    package func fetch(_ url: String, limitBytes: Int) async throws(FetchFailure) -> Body {
        guard running < Self.concurrent else { throw FetchFailure(.busy, "too many fetches") }
        running += 1
        defer { running -= 1 }
        let deadline = LoopTime.current() + conditions.limitMilliseconds * 1_000_000
        var response = try await response(to: url, limitBytes, deadline, isFirst: true)
        var followed = 0
        var lastURL = url
        while let next = response.head.redirectURL {
            guard followed < Self.redirects else { throw FetchFailure(.unavailable, "too many redirects") }
            followed += 1
            response = try await self.response(to: next, limitBytes, deadline, isFirst: false)
            lastURL = next
        }
        guard response.head.status == 200 else {
            let host = Endpoint(lastURL, EndpointOptions())?.authority ?? "the host"
            throw FetchFailure(.unavailable, "\(host) answered \(response.head.status)")
        }
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
        options.proxy = conditions.proxy
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
            default:
                let setting = error.connectFailure?.systemError == EACCES ? " (FETCH_ALLOW_NETWORKS)" : ""
                throw FetchFailure(.unavailable, error.cause + setting)
            }
        }
    }
}

/// The reason why a URL could not be downloaded. Tell a caller only `kind`, never `cause`, so that callers cannot
/// explore a network through the relay.
package struct FetchFailure: Error {
    package enum Kind: Sendable {
        /// The text is not a URL, or the relay must not download this kind of URL.
        case badURL
        /// The download failed, or the address rule does not allow the address.
        case unavailable
        case tooLarge
        /// Too many fetches are running, or memory is short.
        case busy
        /// The task was cancelled, for example because the client disconnected.
        case cancelled
    }
    package let kind: Kind
    /// The reason in words, for the log. Of the URL it contains only host and port.
    package let cause: String

    init(_ kind: Kind, _ cause: String) {
        self.kind = kind
        self.cause = cause
    }
}
