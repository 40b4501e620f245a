import CCurl

/// A reason why a server's certificate is not accepted, and what the operator can do about it.
package struct CertificateFault {
    /// The result of OpenSSL's verification. Its texts are made when they are needed, so that errors stay small.
    private let result: Int32

    /// Returns nil if the transfer did not fail because of the server's certificate.
    init?(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
        guard code == CURLE_PEER_FAILED_VERIFICATION else { return nil }
        var result = 0
        _ = relay_curl_verified(easy, &result)
        self.result = Int32(clamping: result)
    }

    /// The reason, such as `has expired`.
    package var text: String {
        switch result {
        case X509_V_ERR_CERT_HAS_EXPIRED: "has expired"
        case X509_V_ERR_CERT_NOT_YET_VALID: "is not valid yet"
        case _ where isOfName: "is for another host"
        default: "is not trusted: \(String(cString: X509_verify_cert_error_string(Int(result))))"
        }
    }

    /// The operator's remedy, such as `correct the clock of the relay's machine`.
    package var advice: String {
        switch result {
        case X509_V_ERR_CERT_HAS_EXPIRED: "have it renewed, or correct the clock of the relay's machine"
        case X509_V_ERR_CERT_NOT_YET_VALID: "correct the clock of the relay's machine, or have it replaced"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT...X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            "add its certificate authority with SSL_CERT_FILE"
        default: isOfName ? "write a host of the certificate in the URL" : "have it replaced"
        }
    }

    /// libcurl compares the names itself, before it asks for OpenSSL's result.
    private var isOfName: Bool {
        [X509_V_OK, X509_V_ERR_UNSPECIFIED, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH].contains(
            result
        )
    }

    func cause(at host: String) -> String { "the certificate of \(host) \(text); \(advice)" }
}
