/// Multis of one use, none of which has many handles: libcurl goes through all connections of a multi, for a free one or
/// for the one that is meant, so those that are held would slow every other call.
///
/// Only its loop's thread touches it.
final class CurlMultis {
    private unowned let client: CurlClient
    private let most: Int
    private var multis: [CurlMulti] = []

    init(_ client: CurlClient, most: Int) {
        self.client = client
        self.most = most
    }

    /// With room for one handle more.
    func next() -> CurlMulti {
        if let free = multis.first(where: { $0.active < most }) { return free }
        let new = CurlMulti(client: client, in: self)
        multis.append(new)
        return new
    }

    /// Of several without a handle one is kept: their connections would pile up after a rush.
    func isIdle(_ multi: CurlMulti) {
        guard multis.count > 1, let place = multis.firstIndex(where: { $0 === multi }) else { return }
        multis.remove(at: place)
    }
}
