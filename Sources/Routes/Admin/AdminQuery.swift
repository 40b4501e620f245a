import Engine
import Shared

/// The query parameters of an admin request. A parameter with an empty value counts as missing.
struct AdminQuery {
    private var fields: [String: String] = [:]

    /// Reads the query parameters of a request. Throws if a parameter is not in `names`; nil permits any.
    init(_ request: Request, _ names: [String]?) throws(APIError) {
        for field in request.queryFields where !field.text.isEmpty {
            if let names, !names.contains(field.name) { throw .unknownParameter(field.name, names) }
            guard fields.updateValue(field.text, forKey: field.name) == nil else {
                throw APIError(400, "Parameter '\(field.name.beginning(ofBytes: 60))' is there more than once.")
            }
        }
    }

    subscript(_ name: String) -> String? { fields[name] }

    /// Returns a parameter as a whole number; nil if it is missing. Throws if the number is not in `range`.
    func number(_ name: String, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = fields[name] else { return nil }
        guard text.utf8.count <= 18, let number = Int(text), range.contains(number) else {
            throw .value(name, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Returns the value of a parameter; nil if the parameter is missing. Throws if the value is not one of `words`.
    func choice(_ name: String, _ words: [String]) throws(APIError) -> String? {
        guard let text = fields[name] else { return nil }
        guard words.contains(text) else { throw .value(name, "must be one of \(words.joined(separator: ", "))") }
        return text
    }
}

extension APIError {
    /// Returns the error for a query parameter, or a member of a body, that an admin route does not know.
    static func unknownParameter(_ name: String, _ known: [String]) -> APIError {
        let list = known.isEmpty ? "This route has no parameters." : "Known: \(known.joined(separator: ", "))."
        return APIError(400, "Unknown parameter '\(name.beginning(ofBytes: 60))'. \(list)")
    }
}
