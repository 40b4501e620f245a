/// A group of libcurl multi handles, for example for all streams.
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

    /// Returns a multi handle that has room for one more easy handle.
    func next() -> CurlMulti {
        if let free = multis.first(where: { $0.active < most }) { return free }
        let new = CurlMulti(client: client, in: self)
        multis.append(new)
        return new
    }

    /// Removes an empty multi handle from the group, unless it is the only one.
    func isIdle(_ multi: CurlMulti) {
        guard multis.count > 1, let position = multis.firstIndex(where: { $0 === multi }) else { return }
        multis.remove(at: position)
    }
}
