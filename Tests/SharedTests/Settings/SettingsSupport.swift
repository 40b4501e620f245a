import Shared
import Upstream

/// Reads settings like a process with these variables.
///
/// - Parameter files: the contents of files that `X_FILE` may name.
func outcome(
    environment: [(String, String)] = [],
    file: String? = nil,
    files: [String: String] = [:],
    table: SettingsTable = .product,
    usableBytes: Int = 16 << 30
) -> Settings.Outcome {
    var sources = [SettingsSource.environment(environment)]
    if let file { sources.append(.document(named: ".env", Array(file.utf8))) }
    return Settings.read(sources, [.onemin: .oneMin], table: table, usableBytes: usableBytes) {
        path throws(FileProblem) in
        guard let text = files[path] else { throw FileProblem(text: "No such file or directory", isAbsence: true) }
        return Array(text.utf8)
    }
}

/// A certificate in PEM format.
let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBhDCCASmgAwIBAgIUDGwTXGxj6d1ZVk+oHNWOJIN78RQwCgYIKoZIzj0EAwIw
    FjEUMBIGA1UEAwwLcmVsYXktdGVzdHMwIBcNMjYxMTI5MjA1MDUxWhgPMjEyNjEx
    MDUyMDUwNTFaMBYxFDASBgNVBAMMC3JlbGF5LXRlc3RzMFkwEwYHKoZIzj0CAQYI
    KoZIzj0DAQcDQgAEzFla+naf3XRxeWWGEDV6z+SImSvwkmKD99SRYG66tvhb3Ihp
    Qy531TMrtM+Q6230iPKcA7kWRc8KkfxzllwGOaNTMFEwHQYDVR0OBBYEFEamszMy
    cO2CXN15QeIsfiuuWF+1MB8GA1UdIwQYMBaAFEamszMycO2CXN15QeIsfiuuWF+1
    MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhALb26LdByG1+yNgM
    aAsL1Voi5RDKn5I0PM20ZI96X4d9AiEA3y20NggMNycFZdXjh2Kt8U6SxxIWu1uG
    fsxUS7Jx3wk=
    -----END CERTIFICATE-----

    """

extension Settings.Outcome {
    var problemTexts: [String] { problems.map(\.description) }
    var warningTexts: [String] { warnings.map(\.description) }
}
