/// A change of one field in the JSON body of a request, whatever the API.
package struct FieldChange: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case drop
        /// The field is left out unless it has one of these values, which are in lower case.
        case dropUnless([String])
        case atMost(Int)
        case rename(String)
        /// The value is replaced by this JSON: any value, or only this text or an object of this type.
        case replace(String?, by: String)
        /// The text is replaced by one of these: the nearest in the order of reasoning efforts.
        case nearest([String])
        /// The field gets this JSON, whether the request has it or not.
        case set(String)
        /// Objects of this type in the list are left out. If nothing is left, the list gets this JSON.
        case dropType(String, or: String? = nil)
        /// Tools in the list are left out if an earlier tool has their name.
        case distinct
        /// The JSON Schema gets the members that it lacks (`CompleteSchema`).
        case complete
        /// The JSON Schema loses all but its most common members (`PlainSchema`).
        case plain
    }

    /// The names from the body to the field. A list counts as each of its elements: `messages`, `name`.
    package let path: [String]
    package let kind: Kind

    /// The field, for operators: `messages.name`.
    var name: String { path.joined(separator: ".") }

    /// The values of the field that are changed, in words; nil for all values.
    var conditionText: String? {
        switch kind {
        case .atMost(let most): "\(name) is above \(most)"
        case .dropUnless(let accepted): "\(name) is not \(accepted.joined(separator: " or "))"
        case .replace(let text?, _): "\(name) is \(text)"
        default: nil
        }
    }
}

extension FieldChange {
    /// Creates a change of the field at a path with points between the names.
    init(_ path: String, _ kind: Kind = .drop) {
        self.init(path: path.split(separator: ".").map(String.init), kind: kind)
    }
}
