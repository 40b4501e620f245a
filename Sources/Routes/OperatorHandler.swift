package import Engine

/// The handler of the separate socket that serves only the admin page and its API.
package final class OperatorHandler: Handler {
    private let router: Router

    package init(_ router: Router) { self.router = router }

    package func handle(_ request: Request, _ writer: any ResponseWriter) async -> (any Delivery)? {
        await router.handle(request, writer, isPublic: false)
    }

    package func refuse(_ error: RequestError, _ beginning: UnsafeRawBufferPointer, _ writer: any ResponseWriter) {
        router.refuse(error, beginning, writer)
    }
}
