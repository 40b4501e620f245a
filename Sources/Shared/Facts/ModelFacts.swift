package import Engine

/// Facts about a model that model lists show, such as its context window.
package struct ModelFacts: Sendable, Equatable {
    /// The abilities that a model has itself or that the relay emulates for it, such as tools.
    package struct Abilities: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let tools = Abilities(rawValue: 1)
        package static let vision = Abilities(rawValue: 2)
        package static let reasoning = Abilities(rawValue: 4)
        package static let structuredOutputs = Abilities(rawValue: 8)
        package static let streaming = Abilities(rawValue: 16)
        package static let webSearch = Abilities(rawValue: 32)

        /// All abilities with their names, in the order in which model lists show them.
        package static let named: [(word: StaticString, ability: Abilities)] = [
            ("tools", .tools), ("vision", .vision), ("reasoning", .reasoning),
            ("structured_outputs", .structuredOutputs), ("streaming", .streaming), ("web_search", .webSearch),
        ]
    }

    /// The context window in tokens; nil if unknown.
    package var contextWindow: Int?
    /// The largest output in tokens; nil if unknown.
    package var maxOutputTokens: Int?
    /// The kinds of input that the model accepts, such as `text`; nil if unknown.
    package var inputs: [String]?
    /// The kinds of output that the model creates, such as `text`; nil if unknown.
    package var outputs: [String]?
    /// The abilities that the model certainly has.
    package private(set) var abilities: Abilities = []
    /// The abilities that the model is known to have or known to lack.
    private var judged: Abilities = []
    /// The request parameters that the model supports, by their names at OpenRouter; nil if unknown.
    package var parameters: [String]?
    package var price = ListedPrice()
    /// The creation time in seconds since 1970; nil if unknown.
    package var created: Int?
    /// The name of the model for people; nil if only its id is known.
    package var displayName: String?
    /// The capabilities that a vendor lists in the form of Anthropic's API, as JSON by name; empty if none lists them, or
    /// if other facts change them.
    package var capabilities: [String: String] = [:]
    /// The owner of this model; nil if the provider's default owner applies.
    package var owner: String?

    package init() {}

    package mutating func set(_ ability: Abilities, _ isThere: Bool) {
        capabilities = [:]
        judged.formUnion(ability)
        if isThere { abilities.formUnion(ability) } else { abilities.subtract(ability) }
        adaptParameters(to: ability)
    }

    /// The request parameters of abilities. The first one is added to the list for an ability that has none there.
    private static let parametersByAbility: [(ability: Abilities, names: [String])] = [
        (.tools, ["tools", "tool_choice", "parallel_tool_calls"]),
        (.structuredOutputs, ["structured_outputs", "response_format"]),
        (.reasoning, ["reasoning", "include_reasoning", "reasoning_effort"]), (.webSearch, ["web_search_options"]),
    ]

    /// Makes the list of parameters, if it is known, agree with these of the abilities.
    private mutating func adaptParameters(to changed: Abilities) {
        guard var all = parameters else { return }
        for (ability, names) in Self.parametersByAbility where changed.contains(ability) {
            if !abilities.contains(ability) {
                all.removeAll(where: names.contains)
            } else if !names.contains(where: all.contains) {
                all.append(names[0])
            }
        }
        parameters = all
    }

    /// Replaces facts by the known facts in `other`. The facts that `other` lacks stay unchanged.
    package mutating func correct(by other: ModelFacts) {
        contextWindow = other.contextWindow ?? contextWindow
        maxOutputTokens = other.maxOutputTokens ?? maxOutputTokens
        inputs = other.inputs ?? inputs
        outputs = other.outputs ?? outputs
        parameters = other.parameters ?? parameters
        created = other.created ?? created
        owner = other.owner ?? owner
        displayName = other.displayName ?? displayName
        if !other.judged.isEmpty || !other.capabilities.isEmpty { capabilities = other.capabilities }
        price.add(other.price)
        abilities = abilities.subtracting(other.judged).union(other.abilities)
        judged.formUnion(other.judged)
        if other.parameters == nil { adaptParameters(to: other.judged) }
    }

    /// Combines these facts with another provider's facts about the same model.
    ///
    /// The result has the smaller limits, the common list elements and the common abilities. Limits and lists that only
    /// one provider has remain.
    package mutating func narrow(by other: ModelFacts) {
        contextWindow = Self.least(contextWindow, other.contextWindow)
        maxOutputTokens = Self.least(maxOutputTokens, other.maxOutputTokens)
        inputs = Self.common(inputs, other.inputs)
        outputs = Self.common(outputs, other.outputs)
        parameters = Self.common(parameters, other.parameters)
        created = created ?? other.created
        if capabilities != other.capabilities { capabilities = [:] }
        price.add(price.isKnown ? ListedPrice() : other.price)
        abilities.formIntersection(other.abilities)
        judged.formUnion(other.judged)
    }

    private static func least(_ one: Int?, _ other: Int?) -> Int? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    private static func common(_ one: [String]?, _ other: [String]?) -> [String]? {
        guard let one, let other, one != other else { return one ?? other }
        return one.filter(other.contains)
    }

    package var members: [(name: String, value: JSONFragment)] {
        var members: [(name: String, value: JSONFragment)] = []
        func add(_ name: String, _ value: (some JSONWritable)?) {
            if let value { members.append((name, "\(value)")) }
        }
        add("context_length", contextWindow)
        add("max_output_tokens", maxOutputTokens)
        add("max_completion_tokens", maxOutputTokens)
        if price.isKnown { members.append(("pricing", #"{\#(members: price.members)}"#)) }
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
