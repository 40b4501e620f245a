package import Engine

extension ModelFacts {
    /// Appends the known facts to a JSON object, each as a member with a comma before it.
    package func append(to body: inout ByteBuffer) {
        if let contextWindow { body.append(#","context_length":"#, contextWindow) }
        if let maxOutputTokens {
            body.append(#","max_output_tokens":"#, maxOutputTokens)
            body.append(#","max_completion_tokens":"#, maxOutputTokens)
        }
        appendPrice(to: &body)
        appendArchitecture(to: &body)
        appendAbilities(to: &body)
        if let parameters { body.append(#","supported_parameters":"#, parameters) }
    }

    private func appendPrice(to body: inout ByteBuffer) {
        guard price.isKnown else { return }
        var separator: StaticString = #","pricing":{""#
        for part in ListedPrice.PriceKind.allCases {
            guard let text = price[part] else { continue }
            body.append(separator)
            body.append(part.name)
            body.append(#"":""#)
            body.append(text)
            separator = #"",""#
        }
        body.append(#""}"#)
    }

    private func appendArchitecture(to body: inout ByteBuffer) {
        guard inputs != nil || outputs != nil else { return }
        body.append(#","architecture":{"#)
        if let inputs { body.append(#""input_modalities":"#, inputs) }
        if let outputs { body.append(inputs == nil ? #""output_modalities":"# : #","output_modalities":"#, outputs) }
        body.append("}")
    }

    private func appendAbilities(to body: inout ByteBuffer) {
        guard !abilities.isEmpty else { return }
        var separator: StaticString = #","capabilities":[""#
        for (word, ability) in Abilities.named where abilities.contains(ability) {
            body.append(separator)
            body.append(word)
            separator = #"",""#
        }
        body.append(#""]"#)
    }

    /// The names of the abilities that the model has, such as `tools`.
    package var words: [String] { Abilities.named.filter { abilities.contains($0.ability) }.map { "\($0.word)" } }
}

extension ByteBuffer {
    fileprivate mutating func append(_ name: StaticString, _ number: Int) {
        append(name)
        append(decimal: number)
    }

    /// Appends a JSON member that is a list of strings. `name` is the member's beginning, such as `,"name":`. The
    /// strings must need no escaping.
    fileprivate mutating func append(_ name: StaticString, _ names: [String]) {
        append(name)
        append("[")
        for (index, name) in names.enumerated() {
            append(index == 0 ? "\"" : ",\"")
            append(name)
            append("\"")
        }
        append("]")
    }
}
