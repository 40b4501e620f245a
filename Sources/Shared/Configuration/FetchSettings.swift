package import Engine

/// The pictures that the relay fetches if a request names them by URL.
package struct FetchSettings: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        case https
        case http
        case off
    }

    package let kind: Kind
    /// Private networks that may be fetched from all the same.
    package let networks: [Network]

    init(_ reader: SettingsReader) {
        kind = reader.text("FETCH_IMAGES").flatMap(Kind.init) ?? .https
        networks = reader.networks("FETCH_ALLOW_NETWORKS")
    }

    /// None: nothing is fetched.
    package var schemes: [String] {
        switch kind {
        case .https: ["https"]
        case .http: ["https", "http"]
        case .off: []
        }
    }
}
