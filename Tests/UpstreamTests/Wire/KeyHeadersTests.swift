import Engine
import Support
import Testing

@testable import Upstream

@Suite struct KeyHeadersTests {
    private let headers = KeyHeaders { ["x-api-key: \($0)"] }

    private func passing(_ betas: String, _ version: String? = nil) -> UpstreamHeaders {
        let client = MessageHeaders(betas: betas, version: version, hasBearer: false)
        return headers.headers(for: "key", passing: client, without: [], isCallersKey: false)
    }

    @Test("the header lines of a usual request are made once")
    func keeps() {
        #expect(headers.headers(for: "key") === headers.headers(for: "key"))
        #expect(passing("a,b", "2023-06-01") === passing("a,b", "2023-06-01"))
        #expect(passing("a,b") !== passing("a"))
    }

    @Test("long values of a client are not kept")
    func longValues() {
        let long = String(repeating: "v", count: 600)
        #expect(passing("", long + long) !== passing("", long + long))
        #expect(passing(long + long) !== passing(long + long))
        #expect(passing(long, long) !== passing(long, long))
    }

    @Test("values of clients take a bounded number of bytes")
    func bound() {
        let first = passing("first")
        #expect(passing("first") === first)
        for number in 0..<256 { _ = passing("\(number)" + String(repeating: "b", count: 900)) }
        #expect(passing("first") !== first)
    }
}
