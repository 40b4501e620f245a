package import Calls
package import Engine
package import Shared
package import Upstream

/// Everything that one event loop derives from the settings. It never changes: the router replaces it as a whole.
package struct Setup {
    let settings: Settings
    let callers: Callers
    let limits: LimitBook
    let registry: Registry
    let keyCheckers: [any KeyChecker]
    /// The client that downloads URLs of callers; nil if images must not be downloaded.
    let fetcher: Fetcher?

    package init(_ settings: Settings, _ registry: Registry, keyCheckers: [any KeyChecker], fetcher: Fetcher?) {
        self.settings = settings
        callers = Callers(settings)
        limits = LimitBook(settings)
        self.registry = registry
        self.keyCheckers = keyCheckers
        self.fetcher = fetcher
    }

    private init(_ old: Setup, _ registry: Registry) {
        settings = old.settings
        callers = old.callers
        limits = old.limits
        self.registry = registry
        keyCheckers = old.keyCheckers
        fetcher = old.fetcher
    }

    /// Returns this setup with other models of the same vendors.
    func offering(_ modelCatalog: ModelCatalog) -> Setup { Setup(self, registry.offering(modelCatalog)) }
}
