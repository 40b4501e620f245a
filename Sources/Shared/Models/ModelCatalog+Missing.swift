import Engine

/// Errors for requests whose model cannot serve them.
extension ModelCatalog {
    /// Returns the error for a model that no provider serves or that the caller may not use.
    /// - Parameter features: features of which a suggested model needs at least one; nil to suggest any model.
    package func notFound(_ name: String, for caller: Caller, able features: Model.Features? = nil) -> APIError {
        var error = APIError.modelNotFound(name)
        if !self[name].isEmpty, caller.kind != .passThrough, !caller.mayUse(name, ofPassthrough: false) {
            let setting = caller.key.map { "KEY_\($0.name.asInstance)_MODELS" } ?? "ANONYMOUS_MODELS"
            error.cause = "\(setting) does not permit \(name.beginning(ofBytes: 100))"
        }
        if isSubsetOnly { error.message = "The model \(name.beginning(ofBytes: 100)) does not exist." }
        if let near = nearest(to: name, for: caller, able: features) { error.message += " Did you mean `\(near)`?" }
        return error
    }

    /// Returns the error for a permitted model without a needed feature. The message names models that have it.
    /// - Parameter features: the features of which the request needs at least one.
    package func unable(
        _ name: String,
        _ own: Model.Features,
        for caller: Caller,
        able features: Model.Features
    ) -> APIError {
        var error = APIError.modelNotFound(name)
        let others = names(for: caller) { !$0.features.isDisjoint(with: features) }
        let hint =
            others.isEmpty
            ? "No model that this key may use can."
            : "Models that can: \(others.map { "`\($0)`" }.joined(separator: ", "))."
        let (wanted, can) = (features.words.first ?? "serve this", own.words.joined(separator: " and "))
        error.message = "The model `\(name.beginning(ofBytes: 100))` cannot \(wanted), it can \(can). \(hint)"
        return error
    }

    private static let shownNames = 4

    /// Returns at most four names of models that the caller may use and that pass `fits`.
    package func names(for caller: Caller, where fits: (Model) -> Bool) -> [String] {
        var names: [String] = []
        for (name, provider, model, _) in listing.prefix(Self.comparedNames) where fits(model) {
            guard let name = usable(name, at: provider, for: caller), !names.contains(name) else { continue }
            names.append(name)
            if names.count == Self.shownNames { break }
        }
        return names
    }

    private static let comparedNames = 1_024
    private static let comparedBytes = 200

    /// Returns the most similar name of a model that the caller may use; nil if none is similar.
    private func nearest(to name: String, for caller: Caller, able features: Model.Features?) -> String? {
        guard name.utf8.count <= Self.comparedBytes else { return nil }
        // Other programs put the name of the maker before that of the model.
        if let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")),
            case let last = String(name[name.index(after: slash)...]),
            let servedModel = self[last].first,
            features.map({ !$0.isDisjoint(with: servedModel.model.features) }) ?? true,
            caller.mayUse(last, ofPassthrough: providers[servedModel.provider].isPassthrough)
        {
            return last
        }
        let wanted = name.utf8.map(\.lowered)
        var bound = min(3, max(wanted.count / 4, min(2, wanted.count / 2)))
        var best: String?
        for (near, provider, model, _) in listing.prefix(Self.comparedNames) {
            guard abs(near.utf8.count - wanted.count) <= bound, near != name,
                features.map({ !$0.isDisjoint(with: model.features) }) ?? true,
                let distance = editDistance(wanted, near.utf8.map(\.lowered), atMost: bound),
                caller.mayUse(near, ofPassthrough: providers[provider].isPassthrough)
            else { continue }
            best = near
            // From now on only a more similar name is better.
            bound = distance - 1
            if bound < 0 { break }
        }
        for panel in panels.all where bound >= 0 && panel.name != name {
            guard features.map({ $0.contains(.chat) }) ?? true, mayUse(panel, caller),
                let distance = editDistance(wanted, panel.name.utf8.map(\.lowered), atMost: bound)
            else { continue }
            best = panel.name
            bound = distance - 1
        }
        return best
    }
}

extension Model.Features {
    /// These features as verbs for messages, such as `make images`.
    fileprivate var words: [String] {
        let all: [(Model.Features, String)] = [
            (.chat, "chat"), (.image, "make images"), (.imageEdit, "edit images"),
            (.imageInpaint, "edit images by a mask"), (.imageVariation, "vary images"), (.textToSpeech, "speak"),
            (.speechToText, "transcribe recordings"), (.audioTranslation, "translate recordings"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

extension UInt8 {
    /// This byte with an ASCII capital letter turned into lower case. Other bytes stay unchanged.
    fileprivate var lowered: UInt8 { (65...90).contains(self) ? self | 32 : self }
}
