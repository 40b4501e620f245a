package import Engine

extension ModelFacts {
    package var members: [(name: String, value: JSONFragment)] {
        var members: [(name: String, value: JSONFragment)] = []
        func add(_ name: String, _ value: (some JSONWritable)?) {
            if let value { members.append((name, "\(value)")) }
        }
        add("context_length", contextWindow)
        add("max_output_tokens", maxOutputTokens)
        add("max_completion_tokens", maxOutputTokens)
        if price.isKnown {
            let prices = ListedPrice.PriceKind.allCases.map { (name: "\($0.name)", value: price[$0]) }
            let known = prices.compactMap { kind in kind.value.map { (kind.name, "\($0)" as JSONFragment) } }
            members.append(("pricing", #"{\#(members: known)}"#))
        }
        if inputs != nil || outputs != nil {
            let modalities: JSONFragment =
                #"{\#(member: "input_modalities", inputs)\#(member: "output_modalities", outputs)}"#
            members.append(("architecture", modalities))
        }
        if !abilities.isEmpty { add("capabilities", words) }
        add("supported_parameters", parameters)
        return members
    }

    /// The names of the abilities that the model has, such as `tools`.
    package var words: [String] { Abilities.named.filter { abilities.contains($0.ability) }.map { "\($0.word)" } }
}
