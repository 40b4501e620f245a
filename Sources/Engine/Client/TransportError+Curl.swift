import CCurl

extension TransportError {
    init(_ code: CURLcode, isWholeTimeOver: Bool) {
        let kind: Kind =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: isWholeTimeOver ? .totalTimeout : .connectTimeout
            case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unreachable
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                .insecure
            default: .broken
            }
        self.init(kind, code: code.rawValue)
    }
}
