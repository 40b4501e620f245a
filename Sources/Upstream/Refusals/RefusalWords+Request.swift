import Engine

/// The parts of a message that are not the vendor's words, although they may be too short to be found as repetitions.
extension RefusalWords {
    /// Marks the source of a chat template that a server quotes before its error: `{%- if tools %}`.
    static func markTemplate(in text: [UInt8], _ isForeign: inout [Bool]) {
        if let source = text.firstRange(of: Array("in source:".utf8))?.upperBound {
            let end = text[source...].firstRange(of: Array("Error:".utf8))?.lowerBound ?? text.count
            return isForeign.mark([source..<end])
        }
        guard text.contains(UInt8(ascii: "{")) else { return }
        let starts = ["{%", "{{"].compactMap { text.firstRange(of: Array($0.utf8))?.lowerBound }
        let ends = ["%}", "}}"].compactMap { text.ranges(of: Array($0.utf8)).last?.upperBound }
        if let start = starts.min(), let end = ends.max(), start < end { isForeign.mark([start..<end]) }
    }

    /// Marks quotes of the caller's short texts, outside of tools.
    static func markTexts(of request: RawJSON, in text: [UInt8], _ isForeign: inout [Bool]) {
        let quotes = Dictionary(grouping: quotes(in: text)) { text[$0].withUnsafeBytes(ComparedText.bytes) }
        guard !quotes.isEmpty else { return }
        for member in request.members where !member.name.isAny(of: ofTools) {
            for string in RequestStrings(member.value.bytes) where string.isOfCaller {
                if let text = string.phrase { isForeign.mark(quotes[text] ?? []) }
            }
        }
    }

    /// Returns the names in the request's tools and schemas, in lower case, if the words are about one tool or schema.
    /// They name no fields then.
    static func namesOfTools(in request: RawJSON, of clauses: [[String]]) -> Set<String> {
        let isAboutTool = clauses.contains { clause in
            zip(clause, clause.dropFirst() + [""]).contains { word, next in
                ["tool", "function", "schema", "declaration"].contains(word)
                    && !["use", "call", "calls", "calling", "choice"].contains(next)
            }
        }
        var names: Set<String> = []
        for member in request.members where isAboutTool && member.name.isAny(of: ofTools) {
            for string in RequestStrings(member.value.bytes) where !string.isOfSchemas {
                if let name = string.phrase { names.insert(String(decoding: name, as: UTF8.self)) }
            }
        }
        return names
    }

    /// The vendor's own words with quoted names, for operators: without other quotes, the caller's texts, keys and
    /// addresses.
    /// - Parameter request: the JSON of the refused request.
    func forOperators(of request: UnsafeRawBufferPointer) -> String {
        let phrases = Set(RequestStrings(request).lazy.filter(\.isOfCaller).compactMap(\.phrase))
        var isForeign = namedText.map { $0 == Self.gap }
        isForeign.mark(ComparedText(namedText).places(of: phrases))
        let shown = zip(namedText, isForeign).filter { !$0.1 }.map(\.0)
        return UpstreamError.words(of: String(decoding: shown, as: UTF8.self))
    }

    /// Returns the places of all short texts between quotes.
    private static func quotes(in text: [UInt8]) -> [Range<Int>] {
        text.indices.compactMap { start in
            guard "'\"`".utf8.contains(text[start]) else { return nil }
            let inner = text[(start + 1)...].prefix(ComparedText.phraseBytes + 1)
            return inner.firstIndex(of: text[start]).map { start + 1..<$0 }
        }
    }

    /// The fields with tools or schemas of the caller.
    private static let ofTools: [StaticString] = ["tools", "functions", "response_format", "text", "output_config"]
}
