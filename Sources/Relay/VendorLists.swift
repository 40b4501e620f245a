import Engine
import Shared
import Upstream

/// The vendors' model lists, read once for a command such as `models --live`.
struct VendorLists {
    /// The model lists that were read, by the index of their provider in the settings.
    private let lists: [Int: [LiveModel]]
    /// An error message for each provider whose model list could not be read.
    let failures: [String]
    private let settings: Settings

    private static let seconds = 30

    /// Reads the model lists of all providers at the same time. Blocks for at most 30 s.
    init(_ settings: Settings) {
        let indices = settings.providers.indices.filter { index in
            let provider = settings.providers[index]
            let isFirst = index == settings.providers.firstIndex { $0.kind == provider.kind }
            return provider.readsList || isFirst && Vendors.catalogues[provider.kind] != nil
        }
        let loop = CommandLoop()
        let sources = indices.map { Vendors.list(settings.providers[$0], settings, transport: loop.client) }
        let results = loop.results(of: indices.count, withinSeconds: Self.seconds) {
            index -> Result<[LiveModel], UpstreamError> in
            guard let source = sources[index] else {
                return .failure(UpstreamError(.failed, cause: "the provider has no model list"))
            }
            do throws(UpstreamError) {
                return .success(try await source.models())
            } catch {
                return .failure(error)
            }
        }
        self.settings = settings
        let read = zip(indices, results).compactMap { index, result in (try? result?.get()).map { (index, $0) } }
        lists = Dictionary(uniqueKeysWithValues: read)
        failures = zip(indices, results).compactMap { index, result in
            let name = settings.providers[index].name
            switch result {
            case .success: return nil
            case .failure(let error): return "cannot read the model list of \(name): \(error.cause)"
            case nil: return "cannot read the model list of \(name) within \(Self.seconds) s"
            }
        }
    }

    /// The model lists that were read, in the form in which a running relay keeps them.
    var known: LiveModels.ModelLists {
        var known = LiveModels.ModelLists()
        for (index, models) in lists { _ = known.store(models, of: settings.providers[index], at: index) }
        return known
    }

    /// Returns the vendor's model list for the provider at this index of the settings; nil if the list was not read.
    func models(at index: Int) -> [LiveModel]? {
        let kind = settings.providers[index].kind
        if let own = lists[index] { return own }
        guard Vendors.catalogues[kind] != nil else { return nil }
        return settings.providers.firstIndex { $0.kind == kind }.flatMap { lists[$0] }
    }
}
