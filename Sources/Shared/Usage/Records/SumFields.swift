/// A set of the text fields by which daily sums are grouped: caller, model, provider and endpoint.
struct SumFields: OptionSet, Sendable, Hashable {
    let rawValue: Int

    // The bits that `GROUPING(caller, model, provider, endpoint)` has in PostgreSQL.
    static let caller = SumFields(rawValue: 8)
    static let model = SumFields(rawValue: 4)
    static let provider = SumFields(rawValue: 2)
    static let endpoint = SumFields(rawValue: 1)
}

extension SumKey {
    /// Returns this key for sums that are not grouped by `fields`. The texts of these fields become empty.
    func omitting(_ fields: SumFields) -> SumKey {
        func kept(_ text: String, _ field: SumFields) -> String { fields.contains(field) ? "" : text }
        return SumKey(
            omitted: fields,
            day: day,
            caller: kept(caller, .caller),
            model: kept(model, .model),
            provider: kept(provider, .provider),
            endpoint: kept(endpoint, .endpoint)
        )
    }
}

extension UsageQuery {
    /// The fields by which sums must be grouped to serve this query.
    var fields: SumFields {
        var fields: SumFields = caller == nil ? [] : .caller
        for dimension in dimensions {
            switch dimension {
            case .day: break
            case .model: fields.insert(.model)
            case .caller: fields.insert(.caller)
            case .provider: fields.insert(.provider)
            case .endpoint: fields.insert(.endpoint)
            }
        }
        return fields
    }
}

extension RecordFilter {
    /// The fields by which sums must be grouped to serve this filter.
    var fields: SumFields {
        let texts = [(caller, SumFields.caller), (model, .model), (provider, .provider), (endpoint, .endpoint)]
        return SumFields(texts.compactMap { text, field in text == nil ? nil : field })
    }
}
