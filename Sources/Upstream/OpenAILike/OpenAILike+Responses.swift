import Engine
import Shared

extension OpenAILike {
    /// Returns whether the call is sent to the Responses API instead of the chat completions API.
    /// - Parameter mayPass: whether a request of the Responses API may go on as it came.
    func isByResponses(_ call: borrowing ChatCall, _ model: Model, mayPass: Bool = true) -> Bool {
        switch chatsBy {
        case .chat: return false
        case .responses: return true
        case .auto: if mayPass, call.original?.wire == .responses { return true }
        }
        let quirks = wire.quirks(model, for: call.quirks)
        if isOpenAI, !call.needs.isDisjoint(with: [.ownCompactions, .ownItems]) { return true }
        // The Responses API does not have these.
        let foreign: Abilities = [.logProbabilities, .audioOutput, .customTools, .searchOptions, .audioReferences]
        guard call.needs.isDisjoint(with: foreign), !call.attachments.contains(where: { $0.kind == .audio }) else {
            return false
        }
        if quirks.contains(.otherPath) { return true }
        guard !call.needs.isDisjoint(with: [.tools, .functions]) else { return false }
        if quirks.contains(.otherPathWithTools) { return true }
        guard isOpenAI, model.refusesToolsWithEffort, let effort = call.chatOptions.reasoning.plainEffort else {
            return false
        }
        return !effort.hasSameBytes(as: "none")
    }

    func responsesAbilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .mediaAddresses, .sampling,
            .reasoning, .functions, .searchOptions, .compaction, .ownCompactions, .ownItems,
        ]
        if let most = call.maxTokens, most < ResponsesRequest.minTokens { abilities.remove(.tokenBound) }
        abilities.adjust(to: wire.quirks(model, for: call.quirks), for: call)
        return abilities
    }
}

extension Abilities {
    /// Takes away what a model with these quirks lacks for the call.
    mutating func adjust(to quirks: Set<Quirk>, for call: borrowing ChatCall) {
        subtract(quirks.lacking)
        if quirks.dropsStrict || call.chatOptions.hasLooseSchemas, call.hasStrictTools { insert(.uncheckedArguments) }
        let isRequired = call.chatOptions.toolChoice == .required
        if quirks.contains(.noRequired), call.needs.contains(.toolChoice), isRequired { remove(.toolChoice) }
        if quirks.contains(.noForcing), !isRequired { remove(.toolChoice) }
        emulateTogether(for: call.needs)
    }
}

extension Model {
    /// Whether the model accepts tools together with a reasoning effort in the Responses API only.
    fileprivate var refusesToolsWithEffort: Bool {
        guard id.utf8.count <= Model.nameLimitBytes, id.utf8.starts(with: "gpt-".utf8) else { return false }
        let version = id.utf8.dropFirst(4).prefix { $0 == UInt8(ascii: ".") || (48...57).contains($0) }
        let parts = version.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { Int(String(Substring($0))) ?? 0 }
        guard let first = parts.first else { return false }
        return first > 5 || first == 5 && parts.count > 1 && parts[1] >= 4
    }
}
