import Engine

extension QuirkFinding {
    /// The fields that are changed.
    var changes: [FieldChange] { quirks.compactMap { if case .field(let change) = $0 { change } else { nil } } }

    /// The refused betas, one of which a request's header must name to need the change.
    var betas: [String] { quirks.betas }

    /// Whether the vendor's server lacks an ability, which the relay then emulates.
    var isLack: Bool { quirks.contains { $0.needs != nil } }

    /// Whether all requests need the change.
    var isUnconditional: Bool { beside == nil && betas.isEmpty }

    /// Whether a caller has chosen the names or values in the condition.
    var hasChosenNames: Bool {
        if !isUnconditional { return true }
        return changes.contains { $0.path.contains { name in !name.withBytes { FieldNames.isOfResponses($0) } } }
    }

    /// Returns whether a request meets the condition, so that the vendor would refuse the request.
    ///
    /// - Parameter sent: the betas in the request's header.
    func concerns(_ request: RawJSON, betas sent: [String] = []) -> Bool {
        let (betas, changes) = (betas, changes)
        return (betas.isEmpty || betas.contains(where: sent.contains)) && beside?.isIn(request) ?? true
            && (changes.isEmpty || changes.contains { $0.concerns(request) })
    }

    /// Returns the body with the changes of fields.
    func applied(to body: Body) -> Body { changes.reduce(body) { $1.applied(to: $0) } }
}
