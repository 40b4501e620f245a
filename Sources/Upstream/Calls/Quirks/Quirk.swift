/// One change of requests that a model's server needs.
package enum Quirk: Hashable, Sendable {
    /// A change that has code of its own, or an ability that the server lacks.
    case named(QuirkName)
    /// A change of one field of the body.
    case field(FieldChange)
    /// A beta that is left out of a request's header.
    case beta(String)

    /// The quirk's name for operators.
    package var name: String {
        switch self {
        case .named(let name): name.rawValue
        case .field(let change): change.name
        case .beta: "anthropic-beta"
        }
    }

    /// The requests that need the change, in words; nil for all requests.
    var conditionText: String? {
        switch self {
        case .named: nil
        case .field(let change): change.conditionText
        case .beta(let beta): beta
        }
    }
}
