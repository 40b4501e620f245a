extension ModelFacts {
    /// The request parameters that every chat model supports, because the relay emulates them.
    private static let emulated = [
        "max_tokens", "stop", "tools", "tool_choice", "response_format", "structured_outputs",
    ]

    /// Creates the facts that the relay itself knows about a model.
    /// - Parameter isOfCatalogue: whether the model is from a catalogue, so its features are known.
    init(_ model: Model, isOfCatalogue: Bool, searches: Bool) {
        contextWindow = model.contextWindow
        maxOutputTokens = model.maxOutputTokens
        let isChat = !model.features.isDisjoint(with: [.chat, .code])
        if isChat {
            set([.tools, .structuredOutputs, .streaming], true)
            parameters = Self.emulated
        }
        guard isOfCatalogue else { return }
        if isChat {
            set(.vision, model.hasVision)
            set(.webSearch, searches && model.features.contains(.chat))
        }
        (inputs, outputs) = Self.modalities(of: model)
    }

    private static func modalities(of model: Model) -> ([String], [String]) {
        let features = model.features
        var inputs: [String] = []
        var outputs: [String] = []
        func add(_ name: String, to names: inout [String]) { if !names.contains(name) { names.append(name) } }
        if !features.isDisjoint(with: [.chat, .code]) {
            add("text", to: &inputs)
            if model.hasVision { add("image", to: &inputs) }
            add("text", to: &outputs)
        }
        if !features.isDisjoint(with: [.image, .imageEdit, .imageInpaint]) { add("text", to: &inputs) }
        if !features.isDisjoint(with: [.imageEdit, .imageInpaint, .imageVariation]) { add("image", to: &inputs) }
        if !features.isDisjoint(with: [.image, .imageEdit, .imageInpaint, .imageVariation]) {
            add("image", to: &outputs)
        }
        if features.contains(.textToSpeech) {
            add("text", to: &inputs)
            add("audio", to: &outputs)
        }
        if !features.isDisjoint(with: [.speechToText, .audioTranslation]) {
            add("audio", to: &inputs)
            add("text", to: &outputs)
        }
        return (inputs, outputs)
    }
}
