package import Shared

/// A Google Cloud project, and the locations of Vertex AI at which the relay calls models for the project.
package struct VertexSite: Sendable {
    let vendor: VendorSite
    let project: String
    let locations: LocationCooldowns
    /// The access tokens of the project's Google account; nil if callers send passthrough keys.
    let tokens: GoogleTokens?
    /// The URLs of the project on Vertex AI, one for each location.
    let locationURLs: [String]

    /// Creates the site of a provider.
    ///
    /// - Parameter vendor: the site in the settings; if its base URL is empty, each location has its own host.
    package init(_ vendor: VendorSite, _ cloud: CloudSettings, locations: LocationCooldowns, tokens: GoogleTokens?) {
        self.vendor = vendor
        project = cloud.projectID
        self.locations = locations
        self.tokens = tokens
        locationURLs = cloud.locations.map { location in
            let host = vendor.baseURL.isEmpty ? "https://\(Self.host(location))" : vendor.baseURL
            return "\(host)/v1/projects/\(cloud.projectID)/locations/\(location)"
        }
    }

    static func host(_ location: String) -> String {
        switch location {
        case "global": "aiplatform.googleapis.com"
        case "us", "eu": "aiplatform.\(location).rep.googleapis.com"
        default: "\(location)-aiplatform.googleapis.com"
        }
    }
}
