import CCurl
import Glibc

extension TransportError {
    init(_ code: CURLcode, isWholeTimeOver: Bool, at endpoint: Endpoint?, systemError: Int32) {
        let kind: Kind =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: isWholeTimeOver ? .totalTimeout : .connectTimeout
            case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unreachable
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                .insecure
            default: .broken
            }
        self.init(kind, code: code.rawValue, at: endpoint, systemError: systemError)
    }

    /// A description of the error for the log, with the host and port.
    package var cause: String { cause(at: endpoint?.authority ?? "the host") }

    /// Returns a description of the error for the log. It contains the path only if the call went to `api`.
    package func cause(ofCallTo api: Endpoint) -> String { endpoint === api ? cause(at: api.location) : cause }

    func cause(at host: String) -> String {
        switch kind {
        case .unreachable:
            switch CURLcode(code) {
            case CURLE_COULDNT_RESOLVE_HOST: "cannot resolve \(host)"
            case CURLE_COULDNT_RESOLVE_PROXY: "cannot resolve the proxy for \(host)"
            default: "cannot connect to \(host)\(systemReason)"
            }
        case .insecure where CURLcode(code) == CURLE_PEER_FAILED_VERIFICATION:
            "the certificate of \(host) is not trusted"
        case .insecure: "no TLS connection to \(host) (libcurl \(code))"
        case .connectTimeout: "no connection to \(host) in time"
        case .firstByteTimeout: "\(host) did not begin to respond in time"
        case .idleTimeout: "\(host) sent no data for too long"
        case .totalTimeout: "\(host) did not complete its response in time"
        case .late: "\(host) did not respond by the deadline"
        case .broken: "the connection to \(host) broke\(code == 0 ? "" : " (libcurl \(code))")"
        case .tooLarge: "the response of \(host) is too large"
        case .coded: "the response of \(host) is compressed, which the relay did not request"
        case .overloaded: "no memory for the response of \(host)"
        case .cancelled: "cancelled"
        }
    }

    /// The reason why the system could not connect, such as `: connection refused`; empty if there is none.
    private var systemReason: String {
        switch systemError {
        case 0: ""
        case EACCES: ": the relay may not connect to this address"
        default: ": " + String(cString: strerror(systemError)).lowercased()
        }
    }
}
