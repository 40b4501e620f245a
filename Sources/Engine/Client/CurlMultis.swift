/// A group of multis for one purpose, each with few handles. libcurl searches all connections of a multi for a free one
/// or for the one that is meant, so many idle connections would slow down every call.
///
/// Use it only on its loop's thread.
final class CurlMultis {
    private unowned let client: CurlClient
    private let most: Int
    private var multis: [CurlMulti] = []

    init(_ client: CurlClient, most: Int) {
        self.client = client
        self.most = most
    }

    /// Returns a multi that has room for one more handle.
    func next() -> CurlMulti {
        if let free = multis.first(where: { $0.active < most }) { return free }
        let new = CurlMulti(client: client, in: self)
        multis.append(new)
        return new
    }

    /// Removes a multi without handles if there are others. Otherwise their connections would pile up after a peak of
    /// load.
    func isIdle(_ multi: CurlMulti) {
        guard multis.count > 1, let position = multis.firstIndex(where: { $0 === multi }) else { return }
        multis.remove(at: position)
    }
}
