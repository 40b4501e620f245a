import Engine
import Shared

/// The paths that the relay proposes to a client that requested a similar, unknown path.
struct KnownPaths {
    /// The paths of all routes that are always enabled and need no id. `end` is `whole` without `/v1`.
    private let paths: [(whole: String, end: String)]
    /// The longest path for which a similar path is searched, in bytes.
    private static let maxBytes = 200

    init(_ routes: [Route]) {
        paths = routes.compactMap { route in
            guard case .none = route.rest, route.path.utf8CodeUnitCount > 1, route.setting == nil else { return nil }
            let isVersioned = route.pathKind == .api || route.pathKind == .versioned
            return ("\(isVersioned ? "/v1" : "")\(route.path)", "\(route.path)")
        }
    }

    /// Returns the known path that a client probably meant; nil if no known path is similar.
    func path(meantBy path: UnsafeRawBufferPointer) -> String? {
        guard path.count <= Self.maxBytes else { return nil }
        let text = path.text
        let ends = paths.filter { text.hasSuffix($0.end) }
        return ends.max { $0.end.utf8.count < $1.end.utf8.count }?.whole ?? nearest(to: text, among: paths.map(\.whole))
    }
}
