import Engine

extension UpstreamError {
    /// Returns a vendor's error message without private words, as one line of at most 300 characters.
    ///
    /// URLs, paths, keys, and the names of organisations, projects and accounts are replaced by "…".
    /// - Parameter host: a host name; words that contain it are replaced. Nil to hide none.
    static func words(
        of text: String,
        hiding host: String? = nil,
        maxBytes: Int = 2_000,
        maxCharacters: Int = 300
    ) -> String {
        var names = OwnerNames()
        let words = text.beginning(ofBytes: maxBytes).split(whereSeparator: { $0.isWhitespace })
        let shown = words.map { word in
            let isName = names.include(word)
            return isName || VendorMessageWord(text: word).isPrivate || host.map(word.contains) ?? false ? "…" : word
        }
        return String(shown.joined(separator: " ").prefix(maxCharacters))
    }
}

/// A finder for the words of an error message that name an organisation, a project or an account.
private struct OwnerNames {
    private static let owners: Set<String> = [
        "organization", "organisation", "project", "account", "workspace", "tenant",
    ]
    private static let quotes: Set<Character> = ["\"", "'", "`", "‘", "“"]

    private var isAfterOwner = false
    /// The largest number of words that the current name can still have; 0 outside of a name.
    private var wordsLeft = 0

    mutating func include(_ word: Substring) -> Bool {
        let isQuoted = word.first.map(Self.quotes.contains) ?? false
        let isName = wordsLeft > 0 || isAfterOwner && (isQuoted || Self.isIdentifier(word))
        if isName {
            let begins = wordsLeft == 0
            if begins { wordsLeft = isQuoted ? 6 : 1 }
            wordsLeft = Self.ends(begins && isQuoted ? word.dropFirst() : word) ? 0 : wordsLeft - 1
        }
        isAfterOwner = !isName && Self.owners.contains(word.lowercased().filter { $0.isLetter })
        return isName
    }

    private static func ends(_ word: Substring) -> Bool { word.contains { "\"'`’”".contains($0) } }

    private static func isIdentifier(_ word: Substring) -> Bool {
        word.utf8.dropLast().contains { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0.isDigit }
    }
}

private struct VendorMessageWord {
    let text: Substring

    private static let ownMarks = [
        "sk-", "org-", "proj_", "proj-", "acct_", "acct-", "user-", "req_", "AIza", "gsk_", "xai-",
    ]
    private static let owners = ["projects/", "organizations/", "folders/", "billingAccounts/"]
    private static let codeEndings: Set<String> = [
        "py", "js", "ts", "go", "rs", "rb", "java", "php", "cc", "cpp", "cs", "so", "swift",
    ]

    var isPrivate: Bool {
        if text.contains("://") || text.hasPrefix("www.") { return true }
        let word = PlainVendorWord(text)
        if word.isPattern { return false }
        let isLong =
            text.utf8.count(where: { $0 < 0x80 }) >= 24 && !text.contains("/") && text.utf8.contains(where: \.isDigit)
        if isLong, !word.isFieldPath, !word.isDatedModel, !word.isSetting { return true }
        let pieces = text.split { !Self.isOfName($0) }
        if text.contains(":"), let first = pieces.first, pieces.count > 1, Self.isPort(pieces[1]) {
            if first.contains(".") || first == "localhost" { return true }
        }
        return pieces.contains(where: Self.isPrivate)
    }

    private static func isPrivate(_ piece: Substring) -> Bool {
        if ownMarks.contains(where: { piece.hasPrefix($0) && piece.utf8.count > $0.utf8.count + 3 }) { return true }
        if owners.contains(where: piece.contains) { return true }
        if isPath(piece) { return true }
        if let at = piece.firstIndex(of: "@"), at != piece.startIndex, piece[at...].contains(".") { return true }
        // Project numbers, account numbers and IP addresses.
        let parts = piece.split(separator: ".")
        if parts.count == 4, parts.allSatisfy({ $0.utf8.count <= 3 && $0.utf8.allSatisfy(\.isDigit) }) { return true }
        return piece.utf8.count > 10 && piece.utf8.allSatisfy(\.isDigit)
    }

    /// The names in the paths of vendors' APIs.
    private static let apiNames: Set<Substring> = [
        "v1", "v2", "api", "openai", "chat", "completions", "responses", "messages", "embeddings", "models",
    ]

    private static func isPath(_ piece: Substring) -> Bool {
        if piece.split(whereSeparator: "/.".contains).allSatisfy(apiNames.contains) { return false }
        for mark in [UInt8(ascii: "/"), UInt8(ascii: "\\")] where piece.utf8.first == mark {
            if piece.utf8.count(where: { $0 == mark }) > 1 { return true }
        }
        guard piece.contains("/") || piece.contains("\\"), let dot = piece.lastIndex(of: ".") else { return false }
        return codeEndings.contains(String(piece[piece.index(after: dot)...]))
    }

    private static func isPort(_ piece: Substring) -> Bool {
        let digits = piece.utf8.prefix(while: \.isDigit)
        return (2...5).contains(digits.count) && (digits.endIndex == piece.endIndex || piece[digits.endIndex] == "/")
    }

    private static func isOfName(_ character: Character) -> Bool {
        // Chinese stands beside names without a space.
        guard let scalar = character.unicodeScalars.first, scalar.value < 0x2e80 else { return false }
        return character.isLetter || character.isNumber || "_-./\\@".contains(character)
    }
}
