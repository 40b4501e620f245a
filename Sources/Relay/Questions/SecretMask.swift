/// A filter that replaces secrets in texts from vendors by `...`.
struct SecretMask {
    /// Every sequence of `partBytes` successive bytes in the secrets. Secrets with fewer bytes are in `shorter`.
    private var parts: Set<[UInt8]> = []
    private var shorter: [[UInt8]] = []

    private static let partBytes = 8
    private static let shownCharacters = 200

    init(_ secrets: [String]) {
        for secret in secrets.map({ Array($0.utf8) }) where !secret.isEmpty {
            if secret.count < Self.partBytes { shorter.append(secret) }
            for start in secret.indices.dropLast(Self.partBytes - 1) {
                parts.insert(Array(secret[start..<start + Self.partBytes]))
            }
        }
    }

    /// Returns the text on one line, with at most 200 characters. `...` replaces secrets, and runs of at least 8 bytes
    /// of a secret.
    func masked(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var isSecret = [Bool](repeating: false, count: bytes.count)
        for start in bytes.indices {
            let end = start + Self.partBytes
            if end <= bytes.count, parts.contains(Array(bytes[start..<end])) {
                for index in start..<end { isSecret[index] = true }
            }
            for secret in shorter where bytes[start...].starts(with: secret) {
                for index in start..<start + secret.count { isSecret[index] = true }
            }
        }
        var kept: [UInt8] = []
        for index in bytes.indices {
            if !isSecret[index] {
                kept.append(bytes[index])
            } else if index == 0 || !isSecret[index - 1] {
                kept += "...".utf8
            }
        }
        return Self.line(String(decoding: kept, as: UTF8.self))
    }

    /// Returns at most 200 characters of the text, on one line, with spaces for control characters.
    private static func line(_ text: String) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard line.count < shownCharacters else { return String(line) + "..." }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: line.append(" ")
            default: line.append(scalar)
            }
        }
        return String(line)
    }
}
