import Engine
import Shared
import Upstream

extension Vendors {
    /// Returns the requests that check one provider's keys and models; empty if there is nothing to check.
    static func questions(
        _ provider: ProviderSettings,
        _ settings: Settings,
        client: CurlClient
    ) -> [ProviderQuestion] {
        guard provider.kind.usesNetwork else { return [] }
        let options = EndpointOptions(provider, settings).forQuestions
        let keys = provider.apiKeys.enumerated().map { (label: "k\($0 + 1)", text: $1) }
        let models = provider.models
        if provider.kind == .onemin {
            let permitted = settings.permittedModels.map { ModelName(alias: $0, upstream: $0) }
            let named = (models.isEmpty ? permitted : models).map { model in
                let text = model.upstream
                let name = text.hasSuffix(":online") ? String(text.dropLast(":online".count)) : text
                return ModelName(alias: model.alias, upstream: catalogues[.onemin]?.model(name)?.id ?? name)
            }
            let list = list(provider, settings, transport: client, options: options)
            return keys.map { key in
                ProviderQuestion(provider, key.label, models: []) {
                    await OneMin.checkResult(on: key.text, at: provider.baseURL, options, by: client)
                }
            } + [ProviderQuestion(provider, nil, models: named, isOfList: true) { await checkResult(by: list) }]
        }
        if provider.isPassthrough { return [] }
        if let account = keys.first, provider.kind == .vertexGemini || provider.kind == .vertexClaude {
            return [
                vertex(
                    provider,
                    account.label,
                    refreshToken: account.text,
                    models: models,
                    options: options,
                    client: client
                )
            ]
        }
        let list = list(provider, settings, transport: client, options: options) as? VendorList
        let askers: [(label: String?, text: String)] = keys.isEmpty ? [(nil, "")] : keys.map { ($0.label, $0.text) }
        return askers.map { key in
            ProviderQuestion(provider, key.label, models: models) {
                await list?.checkResult(on: key.text) ?? .failed("\(provider.baseURL) is not a URL")
            }
        }
    }

    private static func vertex(
        _ provider: ProviderSettings,
        _ label: String,
        refreshToken: String,
        models: [ModelName],
        options: EndpointOptions,
        client: CurlClient
    ) -> ProviderQuestion {
        let exchange = GoogleExchange(provider.cloud.account(refreshToken: refreshToken), options)
        let site = VertexSite.address(of: provider.cloud, baseURL: provider.baseURL)
        let publisher: Vertex.Publisher = provider.kind == .vertexGemini ? .google : .anthropic
        // The vendor's list has each model once, without versions.
        let names = models.map { ModelName(alias: $0.alias, upstream: String($0.upstream.prefix { $0 != "@" })) }
        return ProviderQuestion(provider, label, models: names) {
            let project = provider.cloud.projectID
            return await exchange?.checkResult(on: publisher.rawValue, at: site, project: project, options, by: client)
                ?? .failed("PROVIDER_\(provider.name.asInstance)_TOKEN_URL is not a URL")
        }
    }

    /// Reads 1min.ai's model list, which needs no key. Returns `accepted` with the ids of the models that are not
    /// disabled, or `failed`.
    private static func checkResult(by list: (any ModelList)?) async -> KeyCheckResult {
        do throws(UpstreamError) {
            guard let list else { return .failed("the base URL is not a URL") }
            return .accepted(models: Set(try await list.models().filter { !$0.isDisabled }.map(\.id)))
        } catch {
            return .failed(error.cause)
        }
    }
}
