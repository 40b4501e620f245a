import CCurl

extension TransportError {
    init(_ code: CURLcode, isWholeTimeOver: Bool, at endpoint: Endpoint?) {
        let kind: Kind =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: isWholeTimeOver ? .totalTimeout : .connectTimeout
            case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unreachable
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                .insecure
            default: .broken
            }
        self.init(kind, code: code.rawValue, at: endpoint)
    }

    /// A description of the error for the log, with host, kind and libcurl's code.
    package var cause: String { cause(at: endpoint?.host ?? "the host") }

    /// Returns a description of the error for the log. It contains the path only if the call went to `api`.
    package func cause(ofCallTo api: Endpoint) -> String { endpoint === api ? cause(at: api.location) : cause }

    private func cause(at location: String) -> String {
        let words = words(of: location)
        return code == 0 ? "\(words) (\(kind))" : "\(words) (\(kind), libcurl \(code))"
    }

    private func words(of host: String) -> String {
        switch kind {
        case .unreachable:
            switch CURLcode(code) {
            case CURLE_COULDNT_RESOLVE_HOST: "cannot resolve \(host)"
            case CURLE_COULDNT_RESOLVE_PROXY: "cannot resolve the proxy for \(host)"
            default: "cannot connect to \(host)"
            }
        case .insecure: "no trusted connection to \(host)"
        case .connectTimeout: "no connection to \(host) in time"
        case .firstByteTimeout: "\(host) did not begin to respond in time"
        case .idleTimeout: "\(host) sent no data for too long"
        case .totalTimeout: "\(host) did not complete its response in time"
        case .late: "\(host) did not respond by the deadline"
        case .broken: "the connection to \(host) broke"
        case .tooLarge: "the response of \(host) is too large"
        case .coded: "the response of \(host) is compressed, which the relay did not request"
        case .overloaded: "no memory for the response of \(host)"
        case .cancelled: "cancelled"
        }
    }
}
