import Engine

/// Facts of a model for lists of models. They are shown, and nothing else depends on them.
package struct ModelFacts: Sendable, Equatable {
    /// Abilities of a model, its own or made up for by the relay.
    package struct Abilities: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let tools = Abilities(rawValue: 1)
        package static let vision = Abilities(rawValue: 2)
        package static let reasoning = Abilities(rawValue: 4)
        package static let structuredOutputs = Abilities(rawValue: 8)
        package static let streaming = Abilities(rawValue: 16)
        package static let webSearch = Abilities(rawValue: 32)

        /// All abilities with their words, in the order in which they are listed.
        package static let named: [(word: StaticString, ability: Abilities)] = [
            ("tools", .tools), ("vision", .vision), ("reasoning", .reasoning),
            ("structured_outputs", .structuredOutputs), ("streaming", .streaming), ("web_search", .webSearch),
        ]
    }

    /// The window in tokens; nil if unknown.
    package var contextWindow: Int?
    /// The largest output in tokens; nil if unknown.
    package var maxOutputTokens: Int?
    /// Kinds of input such as `text`; nil if unknown.
    package var inputs: [String]?
    /// Kinds of output such as `text`; nil if unknown.
    package var outputs: [String]?
    /// The abilities that the model is known to have.
    package private(set) var abilities: Abilities = []
    /// The abilities of which it is known whether the model has them.
    private var judged: Abilities = []
    /// Parameters of requests, as OpenRouter names them; nil if unknown.
    package var parameters: [String]?
    package var price = ListedPrice()
    /// Seconds since 1970; nil if unknown.
    package var created: Int?
    /// Nil if nothing better than the provider's is known.
    package var owner: String?

    package init() {}

    package mutating func set(_ ability: Abilities, _ isThere: Bool) {
        judged.formUnion(ability)
        if isThere { abilities.formUnion(ability) } else { abilities.subtract(ability) }
    }

    /// Takes over all that the other facts have.
    package mutating func correct(by other: ModelFacts) {
        contextWindow = other.contextWindow ?? contextWindow
        maxOutputTokens = other.maxOutputTokens ?? maxOutputTokens
        inputs = other.inputs ?? inputs
        outputs = other.outputs ?? outputs
        parameters = other.parameters ?? parameters
        created = other.created ?? created
        owner = other.owner ?? owner
        price.add(other.price)
        abilities = abilities.subtracting(other.judged).union(other.abilities)
        judged.formUnion(other.judged)
    }

    /// Narrows the facts to what holds at another provider of the model, too.
    package mutating func narrow(by other: ModelFacts) {
        contextWindow = Self.least(contextWindow, other.contextWindow)
        maxOutputTokens = Self.least(maxOutputTokens, other.maxOutputTokens)
        inputs = Self.common(inputs, other.inputs)
        outputs = Self.common(outputs, other.outputs)
        parameters = Self.common(parameters, other.parameters)
        created = created ?? other.created
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
}
