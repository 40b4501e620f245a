package import Engine
package import Shared

/// Reads a request's fields. Throws what the client is told.
package protocol CallFields {
    func string(_ name: StaticString) throws(APIError) -> String?
    func flag(_ name: StaticString) throws(APIError) -> Bool?
    func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int?
}

extension CallFields {
    /// One of a few words.
    package func choice(_ name: StaticString, _ words: [String]) throws(APIError) -> String? {
        guard let word = try string(name) else { return nil }
        guard words.contains(word) else {
            throw .value("\(name)", "it must be one of \(words.joined(separator: ", "))")
        }
        return word
    }

    fileprivate func check(_ integer: Int64, _ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int {
        if integer < range.lowerBound {
            throw .value("\(name)", "it must be at least \(range.lowerBound)", code: "integer_below_min_value")
        }
        if integer > range.upperBound {
            throw .value("\(name)", "it must be at most \(range.upperBound)", code: "integer_above_max_value")
        }
        return Int(integer)
    }

    fileprivate func check(
        _ number: Double,
        _ name: StaticString,
        _ range: ClosedRange<Double>
    ) throws(APIError) -> Double {
        if number < range.lowerBound {
            throw .value("\(name)", "it must be at least \(range.lowerBound)", code: "decimal_below_min_value")
        }
        if number > range.upperBound {
            throw .value("\(name)", "it must be at most \(range.upperBound)", code: "decimal_above_max_value")
        }
        return number
    }
}

/// The fields of a form, all of them text; what is empty is absent.
package struct FormFields: CallFields {
    private var texts: [String: [String]] = [:]

    /// `name[]` and `name[0]` are `name`.
    package init(_ fields: [(name: String, text: String)]) {
        for field in fields where !field.text.isEmpty {
            texts[String(field.name.prefix { $0 != "[" }), default: []].append(field.text)
        }
    }

    /// Of several with one name the first.
    package func string(_ name: StaticString) throws(APIError) -> String? { texts["\(name)"]?.first }

    /// All of one name.
    package func strings(_ name: StaticString) -> [String] { texts["\(name)"] ?? [] }

    package func flag(_ name: StaticString) throws(APIError) -> Bool? {
        switch try string(name)?.lowercased() {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        default: throw .type("\(name)", "a boolean")
        }
    }

    package func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = try string(name) else { return nil }
        guard let integer = Int64(text) else { throw .type("\(name)", "an integer") }
        return try check(integer, name, range)
    }

    package func number(_ name: StaticString, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let text = try string(name) else { return nil }
        guard let number = Double(text), number.isFinite else { throw .type("\(name)", "a number") }
        return try check(number, name, range)
    }
}

/// The fields of a JSON object; what is `null` is absent.
package struct RequestFields: CallFields {
    private let members: [(name: UnsafeRawBufferPointer, value: JSONValue)]

    /// `root`: the whole body, which must be an object.
    package init(_ root: JSONValue) throws(APIError) {
        guard let members = root.members else { throw APIError(400, "The body must be a JSON object.") }
        self.members = members
    }

    /// The first of that name; a request has few fields, and is asked for many.
    package subscript(_ name: StaticString) -> JSONValue? {
        guard let value = members.first(where: { $0.name.equals(name) })?.value, value.kind != .null else { return nil }
        return value
    }

    package func string(_ name: StaticString) throws(APIError) -> String? {
        guard let value = self[name] else { return nil }
        guard let string = value.string else { throw .type("\(name)", "a string") }
        return string
    }

    package func flag(_ name: StaticString) throws(APIError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.flag else { throw .type("\(name)", "a boolean") }
        return flag
    }

    package func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = self[name] else { return nil }
        guard let integer = value.integer else { throw .type("\(name)", "an integer") }
        return try check(integer, name, range)
    }

    package func number(_ name: StaticString, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.number else { throw .type("\(name)", "a number") }
        return try check(number, name, range)
    }

    package func array(_ name: StaticString) throws(APIError) -> JSONElements? {
        guard let value = self[name] else { return nil }
        guard let elements = value.elements else { throw .type("\(name)", "an array") }
        return elements
    }

    package func object(_ name: StaticString) throws(APIError) -> JSONValue? {
        guard let value = self[name] else { return nil }
        guard value.kind == .object else { throw .type("\(name)", "an object") }
        return value
    }
}
