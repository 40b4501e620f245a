import Engine

/// A streamed chat whose response has begun.
final class RunningChat: Delivery, OnLoop, @unchecked Sendable {
    private var open: OpenChat?
    private let exchange: Exchange
    private let router: Router

    init(_ open: OpenChat, _ exchange: Exchange, _ router: Router) {
        self.open = open
        self.exchange = exchange
        self.router = router
    }

    func run() async {
        // The limits are settled when `open` is released, before the request is counted.
        if let open = open.take(), let failure = await open.failure(delivering: exchange) { exchange.fail(failure) }
        router.finish(exchange)
    }
}
