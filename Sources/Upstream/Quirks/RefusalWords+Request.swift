import Engine

/// The parts of a message that are not the vendor's words, although they may be too short to be found as repetitions.
extension RefusalWords {
    private static let maxStringBytes = 64

    /// Marks the source of a chat template that a server quotes before its error: `{%- if tools %}`.
    static func markTemplate(in text: [UInt8], _ isForeign: inout [Bool]) {
        if let source = text.firstRange(of: Array("in source:".utf8))?.upperBound {
            let end = text[source...].firstRange(of: Array("Error:".utf8))?.lowerBound ?? text.count
            return mark([source..<end], &isForeign)
        }
        guard text.contains(UInt8(ascii: "{")) else { return }
        let starts = ["{%", "{{"].compactMap { text.firstRange(of: Array($0.utf8))?.lowerBound }
        let ends = ["%}", "}}"].compactMap { text.ranges(of: Array($0.utf8)).last?.upperBound }
        if let start = starts.min(), let end = ends.max(), start < end { mark([start..<end], &isForeign) }
    }

    /// Marks quotes of the caller's short texts. In a message about one tool or schema, marks also names of fields that
    /// the caller's tools and schemas contain.
    static func markStrings(of request: RawJSON, in text: [UInt8], _ isForeign: inout [Bool]) {
        let quoted = Dictionary(grouping: quotes(in: text)) { text[$0] }
        let words = words(of: text)
        let named = Dictionary(grouping: isAboutTool(words) ? fields(of: request, among: words) : [], by: \.text)
        for member in request.members {
            let isOfTools = ofTools.contains(member.name.text)
            guard isOfTools ? !named.isEmpty : !quoted.isEmpty else { continue }
            var strings = RequestStrings(member.value.bytes)
            while strings.next() {
                guard strings.text.count <= maxStringBytes else { continue }
                if !isOfTools, strings.isOfCaller {
                    mark(quoted[strings.text[...]] ?? [], &isForeign)
                } else if isOfTools, !strings.isOfSchemas {
                    let name = String(decoding: strings.text, as: UTF8.self).lowercased()
                    mark(named[name]?.map(\.range) ?? [], &isForeign)
                }
            }
        }
    }

    /// The vendor's own words with quoted names, for operators: without other quotes, the caller's texts, keys and
    /// addresses.
    ///
    /// - Parameter request: the JSON of the refused request.
    func forOperators(of request: UnsafeRawBufferPointer) -> String {
        var places: [ArraySlice<UInt8>: [Range<Int>]] = [:]
        let isEdge = namedText.indices.map { $0 == 0 || !Self.isInner($0, namedText) } + [true]
        for start in namedText.indices where isEdge[start] && namedText[start] != 32 {
            for end in (start + 1)...min(namedText.count, start + Self.maxStringBytes) where isEdge[end] {
                places[namedText[start..<end], default: []].append(start..<end)
            }
        }
        var isForeign = namedText.map { $0 == Self.gap }
        var strings = RequestStrings(request)
        while strings.next() {
            if strings.isOfCaller { Self.mark(places[strings.text[...]] ?? [], &isForeign) }
        }
        let shown = zip(namedText, isForeign).filter { !$0.1 }.map(\.0)
        return UpstreamError.words(of: String(decoding: shown, as: UTF8.self))
    }

    private static func mark(_ ranges: [Range<Int>], _ isForeign: inout [Bool]) {
        for range in ranges { for index in range { isForeign[index] = true } }
    }

    /// Returns whether an offset is within a word.
    private static func isInner(_ offset: Int, _ text: [UInt8]) -> Bool {
        PhraseMatcher.isOfName(text[offset - 1]) && PhraseMatcher.isOfName(text[offset])
    }

    /// Returns the places of all quoted texts.
    private static func quotes(in text: [UInt8]) -> [Range<Int>] {
        text.indices.compactMap { start in
            guard "'\"`".utf8.contains(text[start]) else { return nil }
            let end = text[(start + 1)...].prefix(maxStringBytes + 1).firstIndex(of: text[start])
            return end.map { start + 1..<$0 }
        }
    }

    /// A word of a message in lower case, and its place.
    private typealias Word = (text: String, range: Range<Int>)

    private static func words(of text: [UInt8]) -> [Word] {
        text.indices.split { !PhraseMatcher.isOfName(text[$0]) }
            .map { (String(decoding: text[$0], as: UTF8.self).lowercased(), $0) }
    }

    private static func fields(of request: RawJSON, among words: [Word]) -> [Word] {
        let names = Set(request.paths.map { $0.split(separator: ".").last?.lowercased() ?? $0 })
        return words.filter { names.contains($0.text) }
    }

    /// Returns whether a message is about one tool or schema, not about tools as an ability.
    private static func isAboutTool(_ words: [Word]) -> Bool {
        words.indices.contains { index in
            let next = index + 1 < words.count ? words[index + 1].text : ""
            return ["tool", "function", "schema", "declaration"].contains(words[index].text)
                && !["use", "call", "calls", "calling", "choice"].contains(next)
        }
    }

    /// The fields with tools or schemas of the caller.
    private static let ofTools: Set = ["tools", "functions", "response_format", "text", "output_config"]
}
