import CCurl

/// A reason why a server's certificate is not accepted, and what the operator can do about it.
package struct CertificateFault {
    /// The reason, such as `has expired`.
    package let text: String
    /// The operator's remedy, such as `correct the clock of the relay's machine`.
    package let advice: String

    /// Returns nil if the transfer did not fail because of the server's certificate.
    init?(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
        guard code == CURLE_PEER_FAILED_VERIFICATION else { return nil }
        var result = 0
        _ = relay_curl_verified(easy, &result)
        switch Int32(clamping: result) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            (text, advice) = ("has expired", "have it renewed, or correct the clock of the relay's machine")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            (text, advice) = ("is not valid yet", "correct the clock of the relay's machine, or have it replaced")
        // libcurl compares the names itself, before it asks for OpenSSL's result.
        case X509_V_OK, X509_V_ERR_UNSPECIFIED, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            (text, advice) = ("is for another host", "write a host of the certificate in the URL")
        default:
            text = "is not trusted: \(String(cString: X509_verify_cert_error_string(result)))"
            let isOfUnknown = (X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT...X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
                .contains(Int32(clamping: result))
            advice = isOfUnknown ? "add its certificate authority with SSL_CERT_FILE" : "have it replaced"
        }
    }

    func cause(at host: String) -> String { "the certificate of \(host) \(text); \(advice)" }
}
