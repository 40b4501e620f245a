import Glibc
import Support
import Testing

@testable import Engine

/// Tests with a TLS server of OpenSSL.
@Suite(.timeLimit(.minutes(1))) struct FetcherSecureTests {
    @Test("https: the certificate has to be of a trusted authority and for the name in the URL")
    func certificate() async throws {
        let server = try SecureServer(name: "tls.test")
        for name in ["tls.test", "other.test"] { ScriptedNames.script(name) { _ in ["127.0.0.1"] } }
        #expect(await fetch("https://tls.test:\(server.port)/", trusting: server.certificateFile).contains("TLSv1.3"))
        #expect(await fetch("https://tls.test:\(server.port)/", trusting: nil) == "unavailable")
        #expect(await fetch("https://other.test:\(server.port)/", trusting: server.certificateFile) == "unavailable")
        #expect(await fetch("https://127.0.0.1:\(server.port)/", trusting: server.certificateFile) == "unavailable")
    }

    private func fetch(_ url: String, trusting file: String?) async -> String {
        await withClient { _, loop in
            let rule = AddressRule(adding: ["127.0.0.0/8"].compactMap { Network($0) })
            let fetcher = Fetcher(
                Fetcher.FetchConditions(schemes: ["https"], agent: "test", certificateFile: file),
                CurlClient(loop: loop, rule: rule)
            )
            _ = Unmanaged.passRetained(fetcher)
            do throws(FetchFailure) {
                let body = try await fetcher.fetch(url, limitBytes: 100_000)
                return withExtendedLifetime(body) { body.bytes.text }
            } catch { return "\(error.kind)" }
        }
    }
}

/// An `openssl s_server` process with its own certificate. Both are removed with the object.
///
/// `@unchecked`: constant after `init`.
private final class SecureServer: @unchecked Sendable {
    struct Failure: Error {}
    let port: UInt16
    private let folder: String
    private var id: pid_t = 0

    var certificateFile: String { folder + "/certificate.pem" }

    init(name: String) throws {
        var template = Array("/tmp/relay-tls-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure() }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let free = RawServer { _, _ in }
        port = free.port
        free.stop()
        let key = folder + "/key.pem"
        let maker = try Self.spawn(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", key]
                + ["-out", folder + "/certificate.pem"]
        )
        var status: Int32 = 0
        waitpid(maker, &status, 0)
        guard status == 0 else { throw Failure() }
        id = try Self.spawn(
            ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificateFile, "-key", key, "-www"]
        )
        for _ in 0..<5_000 {
            if Socket(connectedTo: port) != nil { return }
            usleep(1_000)  // until the other process listens
        }
        throw Failure()
    }

    deinit {
        if id > 0 {
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
        }
        for name in ["key.pem", "certificate.pem"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    private static func spawn(_ arguments: [String]) throws -> pid_t {
        var words: [UnsafeMutablePointer<CChar>?] = (["openssl"] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in 0...2 as ClosedRange<Int32> {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var id: pid_t = 0
        guard posix_spawn(&id, "/usr/bin/openssl", &actions, nil, &words, environ) == 0 else { throw Failure() }
        return id
    }
}
