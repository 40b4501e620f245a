import Engine

/// The forms of keys, and the names of JSON members with secret values.
enum SecretShapes {
    /// The text that replaces a secret.
    static let mask = "***"
    /// The smallest length in bytes of a key that begins with one of `prefixes` or follows `bearer`.
    private static let minBytes = 20
    /// The beginnings of keys by their first byte.
    private static let prefixes = Dictionary(
        grouping: [
            "sk-", "sk_", "rk_", "pk_", "gsk_", "xai-", "AIza", "ya29.", "ghp_", "gho_", "ghs_", "github_pat_",
            "glpat-",
            "hf_", "xoxb-", "xoxp-", "xapp-", "AKIA", "eyJ", "r8_", "pplx-", "nvapi-",
        ]
        .map { Array($0.utf8) },
        by: { $0[0] }
    )
    /// Words in the names of JSON members with secret values, in lower case without separators.
    private static let words = SecretFinder(
        bytes: ["authorization", "apikey", "password", "secret", "credential", "accesstoken", "bearer"].map {
            Array($0.utf8)
        }
    )
    private static let bearer = Array("bearer ".utf8)

    /// Returns whether JSON members with this name usually contain secrets. Such names are `authorization`, `X-Api-Key`
    /// and `token`.
    static func isName(_ name: ArraySlice<UInt8>) -> Bool {
        guard name.count <= 64 else { return false }
        let letters = name.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }.map(lower)
        return letters.elementsEqual("token".utf8) || !words.ranges(in: letters).isEmpty
    }

    /// Returns whether a word has the form of a key.
    /// - Parameters:
    ///   - word: all bytes that follow each other and for which `isKeyByte` is true.
    ///   - isAtEnd: whether the text ends with the word, which may be cut off.
    ///   - text: the text before the word.
    static func isKey(_ word: ArraySlice<UInt8>, isAtEnd: Bool, after text: ArraySlice<UInt8>) -> Bool {
        guard word.count >= (isAtEnd ? SecretFinder.minPartBytes : minBytes), let first = word.first else {
            return false
        }
        if text.suffix(bearer.count).map(lower).elementsEqual(bearer) { return true }
        return prefixes[first]?.contains { word.starts(with: $0) } ?? false
    }

    static func isKeyByte(_ byte: UInt8) -> Bool { byte.isLetterOrDigit(or: "-_.") }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}
