package import Engine

/// The settings for downloads of images that requests refer to by URL.
package struct FetchSettings: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        case https
        case http
        case off
    }

    package let kind: Kind
    /// The private networks from which the relay may download images.
    package let networks: [Network]

    init(_ reader: SettingsReader) {
        kind = reader.word("FETCH_IMAGES") ?? .https
        networks = reader.value("FETCH_ALLOW_NETWORKS") ?? []
    }

    /// The allowed schemes of image URLs; empty if the relay downloads no images.
    package var schemes: [String] {
        switch kind {
        case .https: ["https"]
        case .http: ["https", "http"]
        case .off: []
        }
    }
}
