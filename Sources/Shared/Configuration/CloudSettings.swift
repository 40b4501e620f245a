/// The settings that only providers of Cloudflare and Vertex AI have.
package struct CloudSettings: Sendable, Equatable {
    /// The id of the Cloudflare account; empty for other kinds of providers.
    package let accountID: String
    // The following settings are for Vertex AI and empty for other kinds. Its refresh token is the provider's key.
    package let projectID: String
    package let clientID: String
    /// The secret of the OAuth client for Vertex AI; empty for other providers. It must not be logged.
    package let clientSecret: String
    /// The Google Cloud locations of Vertex AI, such as `europe-west4`, in the order in which they are tried.
    package let locations: [String]
    package let tokenURL: String

    /// The credentials of a Google account. They must not be logged.
    package struct Account: Hashable, Sendable {
        package let clientID: String
        package let clientSecret: String
        package let refreshToken: String
        package let tokenURL: String
    }

    package func account(refreshToken: String) -> Account {
        Account(clientID: clientID, clientSecret: clientSecret, refreshToken: refreshToken, tokenURL: tokenURL)
    }

    package init(projectID: String, clientID: String, clientSecret: String, locations: [String], tokenURL: String) {
        accountID = ""
        self.projectID = projectID
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.locations = locations
        self.tokenURL = tokenURL
    }

    init(_ instance: String, _ kind: ProviderSettings.Kind, isPassthrough: Bool, reader: inout SettingsReader) {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(instance, field) }
        accountID = reader.text(key("ACCOUNT_ID")) ?? ""
        projectID = reader.text(key("PROJECT_ID")) ?? ""
        clientID = reader.text(key("CLIENT_ID")) ?? ""
        clientSecret = reader.text(key("CLIENT_SECRET")) ?? ""
        locations = reader.list(key("LOCATIONS"))
        tokenURL = reader.text(key("TOKEN_URL")) ?? ""
        if kind == .cloudflare { reader.demand(["ACCOUNT_ID": "the Cloudflare account id"], of: instance) }
        guard kind.isVertex else { return }
        for location in locations where !location.isLocation {
            reader.report(key("LOCATIONS"), "\"\(location)\" is not a location such as global, us, or europe-west4")
        }
        for field in ["API_KEYS", "API_KEY", "KEY_WEIGHTS"] {
            let instead = "set CLIENT_ID, CLIENT_SECRET and REFRESH_TOKEN, and remove this line"
            reader.refuse(key(field), "the kind \(kind.rawValue) does not use API keys; \(instead)")
        }
        reader.demand(["PROJECT_ID": "the Google Cloud project id"], of: instance)
        if isPassthrough {
            let keys = ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"].map(key)
            reader.warnIfGiven(keys, "is not used, because \(key("PASSTHROUGH").name) is true")
        } else {
            reader.demand(
                [
                    "CLIENT_ID": "the id of an OAuth client", "CLIENT_SECRET": "the secret of the OAuth client",
                    "REFRESH_TOKEN": "a refresh token of an account for the OAuth client",
                ],
                of: instance
            )
        }
    }
}

extension SettingsReader {
    /// Reports a problem for each required field of a provider that is not set.
    /// - Parameter fields: the names of the fields, with descriptions for the error message.
    fileprivate mutating func demand(_ fields: KeyValuePairs<String, String>, of provider: String) {
        for (field, meaning) in fields {
            let key = ProviderSettings.key(provider, field)
            guard isUnset(key) else { continue }
            report(ProviderSettings.key(provider, "KIND"), "\(key.name) must be set: \(meaning)")
        }
    }
}

extension String {
    fileprivate var isLocation: Bool {
        (1...63).contains(utf8.count)
            && utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-") }
    }
}
