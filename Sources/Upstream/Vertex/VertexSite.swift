package import Shared

/// A project at Vertex AI, and the locations where its models may be called.
package struct VertexSite: Sendable {
    let vendor: VendorSite
    let project: String
    let locations: LocationRests
    /// Nil: callers bring access tokens of their own.
    let tokens: GoogleTokens?
    /// The address of the project at each location.
    let places: [String]

    /// - Parameter vendor: with an empty base URL each location has a host of its own.
    package init(_ vendor: VendorSite, _ cloud: CloudSettings, _ locations: LocationRests, _ tokens: GoogleTokens?) {
        self.vendor = vendor
        project = cloud.projectID
        self.locations = locations
        self.tokens = tokens
        places = cloud.locations.map { location in
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
