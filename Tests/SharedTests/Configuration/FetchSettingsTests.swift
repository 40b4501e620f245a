import Engine
import Testing

@testable import Shared

@Suite struct FetchSettingsTests {
    @Test(
        "which URLs are fetched",
        arguments: [("", ["https"]), ("https", ["https"]), ("HTTP", ["https", "http"]), ("off", [])]
    )
    func kinds(value: String, schemes: [String]) {
        #expect(outcome(environment: [("FETCH_IMAGES", value)]).settings?.fetch.schemes == schemes)
    }

    @Test("networks, uploads and the secret of ids; that one from a file, too")
    func others() {
        let plain = outcome().settings
        #expect(plain?.fetch.networks == [] && plain?.maxUploadBytes == 512 * 1_048_576 && plain?.fileSecret == nil)
        let given = outcome(
            environment: [
                ("FETCH_ALLOW_NETWORKS", "10.1.0.0/16, fd00::/8"), ("MAX_UPLOAD_MB", "2"),
                ("FILE_ID_SECRET_FILE", "/run/secret"),
            ],
            files: ["/run/secret": "ids-1234567890-abc\n"]
        )
        #expect(given.settings?.fetch.networks == ["10.1.0.0/16", "fd00::/8"].compactMap { Network($0) })
        #expect(given.settings?.maxUploadBytes == 2_097_152 && given.settings?.fileSecret == "ids-1234567890-abc")
        #expect(!given.effective.contains { $0.shown.contains("1234567890") })
    }
}
