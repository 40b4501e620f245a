import CCrypto

/// The certificates in a file in PEM format.
package enum Certificates {
    /// Returns whether the file has a certificate, and each of its certificates can be read.
    package static func areReadable(inPEM bytes: [UInt8]) -> Bool {
        guard let file = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else {
            preconditionFailure("out of memory")
        }
        defer { BIO_free(file) }
        ERR_clear_error()
        // Errors that stay would be taken for those of a later TLS connection on this thread.
        defer { ERR_clear_error() }
        var count = 0
        while let certificate = PEM_read_bio_X509(file, nil, nil, nil) {
            X509_free(certificate)
            count += 1
        }
        return count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
    }
}
