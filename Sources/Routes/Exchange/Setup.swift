package import Engine
package import Shared
package import Upstream

/// The objects that one event loop creates from the settings. A setup never changes.
package struct Setup {
    let settings: Settings
    let callers: Callers
    let limits: LimitBook
    private(set) var registry: Registry
    /// The quirks of vendors that are remembered with these settings.
    let quirks: QuirkMemory
    let keyCheckers: [any KeyChecker]
    /// The HTTP client for images in requests; nil if the relay must not download images.
    let fetcher: Fetcher?

    package init(
        _ settings: Settings,
        _ registry: Registry,
        quirks: QuirkMemory,
        keyCheckers: [any KeyChecker],
        fetcher: Fetcher?
    ) {
        self.quirks = quirks
        self.settings = settings
        callers = Callers(settings)
        limits = LimitBook(settings)
        self.registry = registry
        self.keyCheckers = keyCheckers
        self.fetcher = fetcher
    }

    /// Returns a copy of this setup with another catalogue of models.
    func offering(_ modelCatalog: ModelCatalog) -> Setup {
        var other = self
        other.registry = registry.offering(modelCatalog)
        return other
    }
}
