package import Engine

extension Callers {
    package convenience init(_ settings: Settings) {
        self.init(
            known: settings.keys,
            anonymousModels: settings.anonymousModels,
            hasPassthroughProviders: settings.providers.contains { $0.isPassthrough },
            passesTokens: settings.providers.contains { $0.passesTokens },
            hasOnlyPassthroughProviders: settings.providers.allSatisfy { $0.isPassthrough }
        )
    }
}

extension ModelCatalog {
    /// Creates the catalog of the models that these settings offer.
    /// - Parameter lists: the model lists that were read from vendors, by the provider's index.
    package init(_ settings: Settings, _ catalogues: Catalogues, lists: [Int: [LiveModel]] = [:]) {
        let providers = settings.providers.enumerated().map { index, provider in
            let hasSubset = provider.kind.row.subset != nil
            return Provider(
                models: provider.models,
                catalogue: catalogues[provider.kind],
                name: provider.name,
                servesList: provider.servesList,
                list: provider.readsList ? lists[index] : nil,
                subset: hasSubset ? settings.permittedModels : [],
                hasSearchSuffix: provider.kind == .onemin,
                isSubsetOnly: hasSubset && settings.isSubsetOnly,
                owner: provider.kind.row.owner ?? provider.label,
                isPassthrough: provider.isPassthrough,
                generateModel: provider.generateModel ?? provider.models.first?.alias,
                rank: provider.rank,
                prices: provider.prices,
                facts: ProviderFacts(
                    ofModels: provider.modelInfo,
                    supportsTools: provider.supportsTools,
                    acceptsImages: provider.acceptsImages
                )
            )
        }
        self.init(
            providers,
            fallback: settings.fallbackModel,
            replacements: settings.replacements,
            panels: settings.panels
        )
    }
}

extension LimitBook {
    package convenience init(_ settings: Settings) {
        self.init(settings.limits, settings.keys, zone: DayZone(named: settings.timeZone))
    }
}

extension Settings {
    /// Returns a downloader for the keys of issuers, whose URLs the settings name.
    package func issuerFetcher(_ client: CurlClient) -> Fetcher {
        let conditions = Fetcher.FetchConditions(
            schemes: ["https"],
            agent: Product.name,
            certificateFile: certificateFile,
            proxy: upstreamProxy ?? "",
            limitMilliseconds: 5_000
        )
        return Fetcher(conditions, client)
    }
}
