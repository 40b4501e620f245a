package import Engine

/// The settings for images that the relay downloads because a request refers to them by URL.
package struct FetchSettings: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        case https
        case http
        case off
    }

    package let kind: Kind
    /// The private networks from which downloads are allowed.
    package let networks: [Network]

    init(_ reader: SettingsReader) {
        kind = reader.text("FETCH_IMAGES").flatMap(Kind.init) ?? .https
        networks = reader.networks("FETCH_ALLOW_NETWORKS")
    }

    /// The URL schemes that may be downloaded; empty if downloads are off.
    package var schemes: [String] {
        switch kind {
        case .https: ["https"]
        case .http: ["https", "http"]
        case .off: []
        }
    }
}
