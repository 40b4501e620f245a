import Glibc

/// The certificate authorities that the system trusts.
package enum SystemCertificates {
    /// The file in which libcurl looks by itself: the one of Debian, Ubuntu and Arch.
    private static let known = "/etc/ssl/certs/ca-certificates.crt"
    /// The files of other distributions: Fedora and RHEL, openSUSE, Alpine.
    private static let others = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"]

    /// Returns the file that libcurl would not find by itself; nil if libcurl's own file exists, or if there is none.
    package static func file(exists: (String) -> Bool = { access($0, R_OK) == 0 }) -> String? {
        exists(known) ? nil : others.first(where: exists)
    }
}
