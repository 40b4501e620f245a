import Calls
package import Shared

extension Registry {
    /// Returns all candidates for a request if at least one of them can forward it unchanged; otherwise nil.
    ///
    /// - Parameters:
    ///   - name: the requested model.
    ///   - features: a provider that cannot forward is a candidate only if its model has one of these features.
    ///   - substituting: whether the fallback model is used if no provider has the requested model.
    package func forwarding(
        _ name: String,
        for caller: Caller,
        besides features: Model.Features,
        substituting: Bool
    ) throws(APIError) -> Candidates? {
        let served = modelCatalog.replacement(of: name) ?? name
        let known = modelCatalog[served]
        var all = usable(known, as: served, asked: name, caller, features: features)
        // The caller needs the permission for the requested name, not for the fallback's.
        if !known.contains(where: { mayUse($0, name, caller: caller) }) {
            if modelCatalog.panels[served] == nil, modelCatalog.mayBeListed(name, for: caller) { throw .listAwaited }
            guard substituting else { return nil }
            all = usable(
                modelCatalog.substitutes(for: name),
                as: modelCatalog.fallback ?? name,
                asked: name,
                caller,
                features: features
            )
        }
        guard all.contains(where: { $0.forwarder != nil }) else { return nil }
        return Candidates(CandidateList(all), balance, for: caller)
    }

    /// Returns whether some provider has a model of this name that the caller may use.
    package func knows(_ name: String, for caller: Caller) -> Bool {
        modelCatalog[modelCatalog.replacement(of: name) ?? name].contains { mayUse($0, name, caller: caller) }
    }

    private func usable(
        _ modelCatalog: [ModelCatalog.ServedModel],
        as own: String,
        asked name: String,
        _ caller: Caller,
        features: Model.Features
    ) -> [Candidate] {
        modelCatalog.indices.compactMap { index in
            guard mayUse(modelCatalog[index], name, caller: caller) else { return nil }
            let candidate = candidate(FoundModel(name: own, servedModels: modelCatalog, index: index), caller)
            return candidate.forwarder != nil || serves(modelCatalog[index], features) ? candidate : nil
        }
    }
}
