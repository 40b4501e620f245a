import Shared

/// How the log names callers: digests of their keys, computed once for each.
///
/// `@unchecked`: used on one loop only.
final class CallerNames: @unchecked Sendable {
    private var names: [String: String] = [:]
    private static let limit = 1_000

    subscript(key: String) -> String {
        if let known = names[key] { return known }
        if names.count >= Self.limit { names.removeAll() }
        let name = callerDigest(key)
        names[key] = name
        return name
    }
}
