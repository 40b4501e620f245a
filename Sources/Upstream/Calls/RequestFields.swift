package import Engine
package import Shared

/// Reads a request's fields; what is `null` is absent. Throws what the client is told.
package struct RequestFields {
    private let object: JSONValue

    /// `root`: the whole body, which must be an object.
    package init(_ root: JSONValue) throws(APIError) {
        guard root.kind == .object else { throw APIError(400, "The body must be a JSON object.") }
        object = root
    }

    package subscript(_ name: StaticString) -> JSONValue? { object[name] }

    package func string(_ name: StaticString) throws(APIError) -> String? {
        guard let value = object[name] else { return nil }
        guard let string = value.string else { throw .type("\(name)", "a string") }
        return string
    }

    package func flag(_ name: StaticString) throws(APIError) -> Bool? {
        guard let value = object[name] else { return nil }
        guard let flag = value.flag else { throw .type("\(name)", "a boolean") }
        return flag
    }

    package func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = object[name] else { return nil }
        guard let integer = value.integer else { throw .type("\(name)", "an integer") }
        if integer < range.lowerBound {
            throw .value("\(name)", "it must be at least \(range.lowerBound)", code: "integer_below_min_value")
        }
        if integer > range.upperBound {
            throw .value("\(name)", "it must be at most \(range.upperBound)", code: "integer_above_max_value")
        }
        return Int(integer)
    }

    package func number(_ name: StaticString, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = object[name] else { return nil }
        guard let number = value.number else { throw .type("\(name)", "a number") }
        if number < range.lowerBound {
            throw .value("\(name)", "it must be at least \(range.lowerBound)", code: "decimal_below_min_value")
        }
        if number > range.upperBound {
            throw .value("\(name)", "it must be at most \(range.upperBound)", code: "decimal_above_max_value")
        }
        return number
    }

    package func array(_ name: StaticString) throws(APIError) -> JSONElements? {
        guard let value = object[name] else { return nil }
        guard let elements = value.elements else { throw .type("\(name)", "an array") }
        return elements
    }

    package func object(_ name: StaticString) throws(APIError) -> JSONValue? {
        guard let value = object[name] else { return nil }
        guard value.kind == .object else { throw .type("\(name)", "an object") }
        return value
    }
}
