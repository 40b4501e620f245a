import Engine
import Shared

/// The paths of the routes, to propose one for a path that has no route.
struct KnownPaths {
    /// The paths without ids, and the part of each behind `/v1`.
    private let paths: [(whole: String, end: String)]
    /// Longer paths are not compared.
    private static let maxBytes = 200

    init(_ routes: [Route]) {
        paths = routes.compactMap { route in
            guard case .none = route.rest, route.path.utf8CodeUnitCount > 1, route.setting == nil else { return nil }
            let isVersioned = route.position == .api || route.position == .versioned
            return ("\(isVersioned ? "/v1" : "")\(route.path)", "\(route.path)")
        }
    }

    /// Returns the path that was probably meant: a known path that the given one ends with, as in
    /// `/v1/v1/chat/completions`, or a similar one. Returns nil if there is none.
    func path(meantBy path: UnsafeRawBufferPointer) -> String? {
        guard path.count <= Self.maxBytes else { return nil }
        let text = path.text
        let ends = paths.filter { text.hasSuffix($0.end) }
        return ends.max { $0.end.utf8.count < $1.end.utf8.count }?.whole
            ?? nearest(to: text, among: paths.map(\.whole))
    }
}
