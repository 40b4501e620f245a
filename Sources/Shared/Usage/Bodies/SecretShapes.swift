import Engine

/// Finds keys and passwords in bodies by their form, and masks them.
enum SecretShapes {
    /// The text that replaces a secret.
    static let mask = "***"
    /// The smallest length in bytes of a key that begins with one of `prefixes` or follows `bearer`.
    private static let minBytes = 20
    private static let prefixes = [
        "sk-", "sk_", "rk_", "pk_", "gsk_", "xai-", "AIza", "ya29.", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-",
        "hf_", "xoxb-", "xoxp-", "xapp-", "AKIA", "eyJ", "r8_", "pplx-", "nvapi-",
    ]
    .map { Array($0.utf8) }
    /// Words in the names of JSON members with secret values, in lower case without separators.
    private static let words = ["authorization", "apikey", "password", "secret", "credential", "accesstoken", "bearer"]
        .map { Array($0.utf8) }
    private static let bearer = Array("bearer ".utf8)

    /// Returns whether JSON members with this name usually contain secrets. Such names are `authorization`, `X-Api-Key`
    /// and `token`.
    static func isName(_ name: UnsafeRawBufferPointer) -> Bool {
        guard name.count <= 64 else { return false }
        let letters = name.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }.map(lower)
        return letters.elementsEqual("token".utf8) || words.contains { letters.firstRange(of: $0) != nil }
    }

    /// Masks the given secrets in a text, and all words in the form of a key.
    static func mask(in text: inout [UInt8], _ secrets: [String]) {
        for secret in secrets { replace(Array(secret.utf8), in: &text) }
        var out: [UInt8] = []
        var position = 0
        while position < text.count {
            let start = position
            while position < text.count, isKeyByte(text[position]) { position += 1 }
            let run = text[start..<position]
            let isKey = run.count >= minBytes && (prefixes.contains { run.starts(with: $0) } || endsInBearer(out))
            if isKey { out += mask.utf8 } else { out += run }
            if position < text.count {
                out.append(text[position])
                position += 1
            }
        }
        text = out
    }

    private static func replace(_ secret: [UInt8], in text: inout [UInt8]) {
        guard var found = text.firstRange(of: secret) else { return }
        var out: [UInt8] = []
        var rest = text[...]
        while true {
            out += rest[..<found.lowerBound]
            out += mask.utf8
            rest = rest[found.upperBound...]
            guard let next = rest.firstRange(of: secret) else { break }
            found = next
        }
        text = out + rest
    }

    private static func endsInBearer(_ text: [UInt8]) -> Bool {
        text.suffix(bearer.count).map(lower).elementsEqual(bearer)
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}
