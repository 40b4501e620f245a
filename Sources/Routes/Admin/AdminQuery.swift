import Engine
import Shared

/// The fields of a request's query, each once and known.
struct AdminQuery {
    private var fields: [String: String] = [:]

    /// - Parameter names: the fields that the route knows.
    init(_ request: Request, _ names: [String]) throws(APIError) {
        for field in request.queryFields where !field.text.isEmpty {
            guard names.contains(field.name) else {
                throw APIError(
                    400,
                    "Unknown parameter '\(field.name.beginning(ofBytes: 60))'. Known: \(names.joined(separator: ", "))."
                )
            }
            fields[field.name] = field.text
        }
    }

    subscript(_ name: String) -> String? { fields[name] }

    /// A whole number.
    func number(_ name: String, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = fields[name] else { return nil }
        guard text.utf8.count <= 18, let number = Int(text), range.contains(number) else {
            throw .value(name, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Returns the value of a field, which must be one of `words`; nil if the field is missing.
    func choice(_ name: String, _ words: [String]) throws(APIError) -> String? {
        guard let text = fields[name] else { return nil }
        guard words.contains(text) else { throw .value(name, "must be one of \(words.joined(separator: ", "))") }
        return text
    }
}
