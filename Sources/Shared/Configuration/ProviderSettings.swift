/// One upstream account group.
package struct ProviderSettings: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        case onemin
        case echo
    }

    /// Unique: the NAME in lower case, with `-` for `_`.
    package let name: String
    package let label: String
    package let kind: Kind
    /// Without a slash at the end; empty for `echo`.
    package let baseURL: String
    /// The host of its results; empty for kinds that have none.
    package let assetURL: String
    /// Empty: the whole catalogue of its kind.
    package let models: [ModelName]
    /// Calls are made with the caller's own key; otherwise the provider counts as holding credentials.
    package let isPassthrough: Bool
    /// Its own; secrets. None where it is `isPassthrough`, or needs none.
    package let apiKeys: [String]
    /// One for each key.
    package let keyWeights: [Double]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool
    /// Nil: not known.
    package let price: Price?
    package let rank: ProviderRank
}

extension ProviderSettings.Kind {
    /// The differences between kinds, a row each.
    package struct Row {
        /// The owner of its models, as callers see it; nil: the provider's label.
        package let owner: String?
        /// The setting for providers that have no URL of their own; nil: the kind uses no network.
        let baseURL: SettingKey?
        /// The setting with the host of its results.
        let assetURL: SettingKey?
        /// Calls cost credits of the vendor.
        package let takesCredits: Bool
        /// The setting with the models that are listed first.
        let subset: SettingKey?
    }

    package var row: Row {
        switch self {
        case .onemin:
            Row(
                owner: "1minai",
                baseURL: "ONE_MIN_BASE_URL",
                assetURL: "ONE_MIN_ASSET_URL",
                takesCredits: true,
                subset: "SUBSET_OF_ONE_MIN_PERMITTED_MODELS"
            )
        case .echo: Row(owner: nil, baseURL: nil, assetURL: nil, takesCredits: false, subset: nil)
        }
    }

    package var usesNetwork: Bool { row.baseURL != nil }
}

/// The models of each kind whose vendor has a catalogue.
package typealias Catalogues = [ProviderSettings.Kind: Catalogue]
