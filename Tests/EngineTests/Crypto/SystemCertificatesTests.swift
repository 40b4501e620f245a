import Testing

@testable import Engine

@Suite struct SystemCertificatesTests {
    private static let places = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]

    @Test("the first file that exists counts, of which libcurl finds Debian's by itself", arguments: places.indices)
    func firstOfPlaces(first: Int) {
        let existing = Self.places[first...]
        #expect(SystemCertificates.file { existing.contains($0) } == (first == 0 ? nil : Self.places[first]))
    }

    @Test("without any of the files, libcurl reports what is missing")
    func noPlace() { #expect(SystemCertificates.file { _ in false } == nil) }
}
