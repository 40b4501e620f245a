import Engine
import Limits
import Shared
import Upstream
import UsageRecords

/// The check of the servers that the relay itself uses, which `relay check --ask` runs: memcached, the database of usage
/// records, the proxy, and the issuers of signed tokens.
struct ServerCheck {
    /// The report of the check, a line for each server; empty without servers.
    let text: String
    let isGood: Bool

    /// Connects to each server, one after the other. Blocks for at most a few seconds for each.
    init(_ settings: Settings) {
        var results: [(server: String, problem: String?)] = []
        do throws(StoreFailure) {
            let store = try MemcachedCounters.store(settings.limits)
            for (index, server) in (store?.servers ?? []).enumerated() {
                results.append(("memcached \(server)", store.flatMap { Self.problem(of: $0, index) }))
            }
        } catch {
            results.append(("memcached", error.reason))
        }
        if case .server(let url)? = settings.usageDatabase?.location {
            results.append(("the database of USAGE_DATABASE_URL", StorageCheck.problem(ofDatabase: url)))
        }
        if settings.upstreamProxy != nil, let provider = settings.providers.first(where: \.kind.usesNetwork) {
            results.append(("the proxy of UPSTREAM_PROXY", Self.problem(ofProxyTo: provider, settings)))
        }
        results += Self.problems(ofIssuers: settings)
        isGood = results.allSatisfy { $0.problem == nil }
        let lines = results.map { "  \($0.server): \($0.problem ?? "responds")\n" }
        text = lines.isEmpty ? "" : "servers: \(isGood ? "no problems" : "problems")\n" + lines.joined()
    }

    private static func problem(of store: any CounterStore, _ index: Int) -> String? {
        do throws(StoreFailure) {
            _ = try store.connect(to: index)
            return nil
        } catch {
            return "\(error.reason); start memcached there, or correct MEMCACHED_HOST or MEMCACHED_SERVERS"
        }
    }

    /// Sends a request without a key through the proxy to the server of a provider. Only failures of the proxy count.
    private static func problem(ofProxyTo provider: ProviderSettings, _ settings: Settings) -> String? {
        let options = EndpointOptions(provider, settings).forQuestions
        // Vertex AI's hosts depend on the model.
        let url = provider.baseURL.isEmpty ? provider.cloud.tokenURL : provider.baseURL
        guard let endpoint = Endpoint(url, options) else { return nil }
        let loop = CommandLoop()
        let call = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders([]), body: nil)
        let problems = loop.results(of: 1, withinSeconds: 12) { [client = loop.client] _ -> String? in
            do throws(TransportError) {
                let stream = try await client.open(call)
                defer { stream.stop(isComplete: false) }
                return stream.head.status == 407 ? "answered 407; write user:password in UPSTREAM_PROXY" : nil
            } catch {
                return error.isOfProxy || error.kind == .connectTimeout ? error.cause : nil
            }
        }
        return withExtendedLifetime(loop) { problems[0] ?? nil }
    }

    private static func problems(ofIssuers settings: Settings) -> [(server: String, problem: String?)] {
        let keys = settings.keys.filter { $0.family?.rule != nil }
        if keys.isEmpty { return [] }
        let issuers = keys.map { $0.family?.rule?.issuer ?? "" }
        let loop = CommandLoop()
        let problems = loop.results(of: issuers.count, withinSeconds: 12) { [client = loop.client] index in
            await IssuerKeys.problem(of: issuers[index], by: settings.issuerFetcher(client))
        }
        return withExtendedLifetime(loop) {
            zip(keys, problems).map { key, problem in
                ("the issuer of \(key.declaring.name)", problem ?? "does not answer")
            }
        }
    }
}
