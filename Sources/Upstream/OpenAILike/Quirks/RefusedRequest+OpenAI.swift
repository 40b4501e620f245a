import Calls
import Engine

extension Refusal {
    /// Returns the quirk of a server with OpenAI's API that the refusal shows; nil if there is no new quirk.
    ///
    /// - Parameter known: the quirks for which the refused request was already changed.
    func quirk(known: LearnedQuirks) -> QuirkFinding? {
        guard [400, 422, 500].contains(status), !isSpecial else { return nil }
        let refused = RefusedRequest(self, known)
        // Some servers report an error of the model's chat template with status 500.
        return status == 500 ? refused.quirkOfTurns.map { refused.ofMessages($0) } : refused.finding
    }
}

extension RefusedRequest {
    private static let lengths: [StaticString] = [
        "too long", "maximum length", "max length", "length must", "at most", "longer than", "exceed", "64", "pattern",
        "characters",
    ]

    /// The names under which other servers accept a refused field.
    private static let otherNames: [(StaticString, String)] = [
        ("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens"), ("seed", "random_seed"),
    ]

    /// The quirk that the refusal shows, and whether it holds for later requests; nil if there is no new quirk.
    var finding: QuirkFinding? {
        if lacksAddresses { return new(.noAddresses).map { scoped($0) } }
        if words.quote("name"), words.containsAny(of: Self.lengths), ToolNameShortener.finds(in: request) {
            return new(.shortNames).map { scoped($0) }
        }
        if let quirk = quirkOfMessages { return new(quirk).map { ofMessages($0) } }
        if let finding = lackingAbility { return new(finding.quirks) == nil ? nil : finding }
        if request["tools"] != nil || request["functions"] != nil, lacksTools {
            return new(.noTools).map { scoped($0) }
        }
        if let bound = findingOfBound { return bound }
        guard isUnsupported else { return findingOfEffort }
        for (field, name) in Self.otherNames where request[field] != nil && names(field) {
            var finding = scoped([], to: "\(field)")
            finding.changes = [FieldChange(path: ["\(field)"], kind: .rename(name))]
            return finding
        }
        if let fields = findingOfFields { return fields }
        if names("strict"), request["tools"] != nil { return new(.noStrict).map { scoped($0, to: "strict") } }
        if names("tool_choice"), request["tool_choice"]?.content == "required" {
            return new(.noRequired).map { scoped($0) }
        }
        return findingOfEffort
    }

    /// Returns a quirk of the form of messages. It changes only messages of that form, whatever the other fields are.
    func ofMessages(_ quirk: LearnedQuirks) -> QuirkFinding {
        var finding = scoped(quirk)
        finding.isOfPair = true
        return finding
    }
}
