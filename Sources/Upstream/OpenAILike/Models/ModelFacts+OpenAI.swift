import Engine
import Shared

extension ModelFacts {
    /// Creates the facts of a model from its entry in a vendor's model list, in OpenAI's format or a similar one.
    init(openAI model: JSONValue) {
        self.init()
        let provider = model["top_provider"]
        let windows = [
            model["context_length"], model["max_model_len"], model["context_window"], provider?["context_length"],
        ]
        contextWindow = Self.first(windows)
        maxOutputTokens = Self.first([
            model["max_output_tokens"], model["max_completion_tokens"], provider?["max_completion_tokens"],
        ])
        inputs = Self.names(model["architecture"]?["input_modalities"])
        outputs = Self.names(model["architecture"]?["output_modalities"])
        parameters = Self.names(model["supported_parameters"])
        if let inputs { set(.vision, inputs.contains("image")) }
        if let parameters {
            set(.reasoning, parameters.contains("reasoning") || parameters.contains("include_reasoning"))
        }
        price = ListedPrice(model["pricing"])
    }

    private static func first(_ values: [JSONValue?]) -> Int? { values.lazy.compactMap(tokens).first }

    /// Returns a number of tokens; nil if the value is not a plausible number of tokens.
    static func tokens(_ value: JSONValue?) -> Int? {
        guard let number = value?.number, (1...4_000_000_000).contains(number) else { return nil }
        return Int(number)
    }

    /// Returns the valid names in the first 64 elements of a JSON array such as `["text","image"]`; nil if there are
    /// none.
    private static func names(_ value: JSONValue?) -> [String]? {
        guard let elements = value?.elements else { return nil }
        let names = elements.prefix(64).compactMap { element in element.string.flatMap { isName($0) ? $0 : nil } }
        return names.isEmpty ? nil : names
    }
}
