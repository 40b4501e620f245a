import CCurl
import Glibc

extension TransportError {
    init(_ code: CURLcode, isWholeTimeOver: Bool, at endpoint: Endpoint?, _ connectFailure: ConnectFailure?) {
        let isOfTLSProxy = connectFailure?.proxyStatus == 0 && endpoint?.options.hasTLSProxy ?? false
        let kind: Kind =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: isWholeTimeOver ? .totalTimeout : .connectTimeout
            case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unreachable
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                isOfTLSProxy ? .unreachable : .insecure
            default: connectFailure == nil ? .broken : .unreachable
            }
        self.init(kind, code: code.rawValue, at: endpoint, connectFailure)
    }

    /// A description of the error for the log, with the host and port.
    package var cause: String { cause(at: endpoint?.authority ?? "the host") }

    /// Returns a description of the error for the log. It contains the path only if the call went to `api`.
    package func cause(ofCallTo api: Endpoint) -> String { endpoint === api ? cause(at: api.location) : cause }

    func cause(at host: String) -> String {
        switch kind {
        case .unreachable where CURLcode(code) == CURLE_COULDNT_RESOLVE_HOST: "cannot resolve \(host)"
        case .unreachable: proxyProblem ?? "cannot connect to \(host)\(systemReason)"
        case .insecure where certificateFault != nil: certificateFault?.cause(at: host) ?? ""
        case .insecure where proxy != nil:
            "no TLS connection to \(host) through the proxy \(proxy ?? "") (UPSTREAM_PROXY)\(reason)"
        case .insecure: "no TLS connection to \(host)\(reason); if the server has no TLS, write http://"
        case .connectTimeout: "no connection to \(host) in time"
        case .firstByteTimeout: "\(host) did not begin to respond in time"
        case .idleTimeout: "\(host) sent no data for too long"
        case .totalTimeout: "\(host) did not complete its response in time"
        case .late: "\(host) did not respond by the deadline"
        case .broken: "the connection to \(host) broke\(reason)\(adviceOnTLS)"
        case .tooLarge: "the response of \(host) is too large"
        case .coded: "the response of \(host) is compressed, which the relay did not request"
        case .overloaded: "no memory for the response of \(host)"
        case .cancelled: "cancelled"
        }
    }

    /// The reason why a connection broke or got no TLS, such as `: it ended without a response`; empty if it is unknown.
    private var reason: String {
        switch CURLcode(code) {
        case CURLE_OK: ""
        case CURLE_GOT_NOTHING: ": it ended without a response"
        case CURLE_PARTIAL_FILE: ": it ended before the end of the response"
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL: ": what arrived is not HTTP/1.1"
        case let code: ": " + String(cString: curl_easy_strerror(code))
        }
    }

    /// The advice for a server that does not respond to plain HTTP; empty for other failures.
    private var adviceOnTLS: String {
        let isOfTLS = [CURLE_GOT_NOTHING, CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL]
            .contains(CURLcode(code))
        return isOfTLS && endpoint?.isHTTPS == false ? "; if the server expects TLS, write https://" : ""
    }

    /// The reason why the server's certificate is not accepted; nil if the call failed for another reason.
    package var certificateFault: CertificateFault? { connectFailure?.certificateFault }

    /// Whether the relay's proxy could not be reached or gave no connection, so that the vendor was not called at all.
    package var isOfProxy: Bool { kind == .unreachable && CURLcode(code) != CURLE_COULDNT_RESOLVE_HOST && proxy != nil }

    /// The host and port of the proxy, without credentials; nil if there is no proxy.
    private var proxy: String? { endpoint.flatMap { Self.address(ofProxy: $0.options.proxy) } }

    /// Returns the host and port in the URL of a proxy, without credentials; nil if the URL is empty.
    static func address(ofProxy url: String) -> String? {
        url.split(separator: "@").last?.split(separator: "//").last.map { String($0.prefix { $0 != "/" }) }
    }

    /// The reason why the proxy gave no connection, and what to do; nil without a proxy.
    private var proxyProblem: String? {
        guard let endpoint, let proxy else { return nil }
        switch CURLcode(code) {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_PROXY:
            let advice = "start it, or correct UPSTREAM_PROXY"
            return "cannot connect to the proxy \(proxy) (UPSTREAM_PROXY)\(systemReason); \(advice)"
        default:
            let status = Int(connectFailure?.proxyStatus ?? 0)
            let reason = String(cString: curl_easy_strerror(CURLcode(code)))
            return Self.refusal(ofProxy: endpoint.options.proxy, status, endpoint.authority)
                ?? "the proxy \(proxy) (UPSTREAM_PROXY) gave no connection to \(endpoint.authority): \(reason)"
        }
    }

    /// Returns the text for a proxy that refused a connection to `host` with this status; nil if it did not refuse.
    static func refusal(ofProxy url: String, _ status: Int, _ host: String) -> String? {
        guard status >= 300 else { return nil }
        let name = "the proxy \(address(ofProxy: url) ?? "") (UPSTREAM_PROXY)"
        guard status == 407 else {
            return "\(name) answered \(status) to CONNECT \(host); let it permit this host, or correct UPSTREAM_PROXY"
        }
        return "\(name) answered 407; \(url.contains("@") ? "correct the" : "write") user:password in UPSTREAM_PROXY"
    }

    /// The reason why the system could not connect, such as `: connection refused`; empty if there is none.
    private var systemReason: String {
        switch connectFailure?.systemError ?? 0 {
        case 0: ""
        case EACCES: ": the relay may not connect to this address"
        case let error: ": " + String(cString: strerror(error)).lowercased()
        }
    }
}
