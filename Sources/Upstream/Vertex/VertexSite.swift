package import Shared

/// A project on Vertex AI, and the locations at which its models can be called.
package struct VertexSite: Sendable {
    let vendor: VendorSite
    let project: String
    let locations: LocationCooldowns
    /// The access tokens of the project's account; nil if callers bring access tokens of their own.
    let tokens: GoogleTokens?
    /// The URLs of the project, one for each location.
    let locationURLs: [String]

    /// - Parameter vendor: the site; if its base URL is empty, each location has a host of its own.
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
