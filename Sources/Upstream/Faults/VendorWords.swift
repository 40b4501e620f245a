import Calls
import Engine

extension UpstreamError {
    /// A vendor's words as a client may read them: on one line, without addresses, paths, keys and accounts, at most 300
    /// characters.
    ///
    /// - Parameter host: hidden wherever it is named; nil: none.
    static func words(of text: String, hiding host: String? = nil) -> String {
        let words = text.beginning(ofBytes: 2_000).split(whereSeparator: { $0.isWhitespace })
        return String(words.map { isPrivate($0, host) ? "…" : $0 }.joined(separator: " ").prefix(300))
    }

    private static let ownMarks = ["sk-", "org-", "proj_", "proj-", "acct_", "acct-", "user-", "req_"]

    private static func isPrivate(_ word: Substring, _ host: String?) -> Bool {
        if word.contains("://") || word.hasPrefix("www.") || host.map({ word.contains($0) }) ?? false { return true }
        let bare = word.drop { "\"'`([{".contains($0) }
        if ownMarks.contains(where: { bare.hasPrefix($0) && bare.utf8.count > $0.utf8.count + 3 }) { return true }
        if bare.first == "/", bare.utf8.count(where: { $0 == UInt8(ascii: "/") }) > 1 { return true }
        return word.utf8.count >= 24 && !word.contains("/") && word.utf8.contains { $0 >= 48 && $0 <= 57 }
    }
}
