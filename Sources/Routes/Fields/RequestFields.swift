package import Engine
package import Shared

/// A reader for the fields of a request. Its functions throw errors for the client.
package protocol CallFields {
    /// Returns the length of a text field in bytes; nil if the field is absent.
    func length(_ name: StaticString) throws(APIError) -> Int?
    func string(_ name: StaticString) throws(APIError) -> String?
    func flag(_ name: StaticString) throws(APIError) -> Bool?
    func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int?
}

extension CallFields {
    /// Returns a text field; nil if the field is absent. Throws if the text is longer than `limitBytes`.
    package func string(_ name: StaticString, limitBytes: Int) throws(APIError) -> String? {
        guard let length = try length(name) else { return nil }
        guard length <= limitBytes else { throw .tooLong("\(name)", length, limitBytes: limitBytes) }
        return try string(name)
    }

    /// Returns the field `model`; nil if it is absent. Throws the error for an unknown model if the name is too long.
    package func model() throws(APIError) -> String? {
        guard let length = try length("model") else { return nil }
        guard length <= Model.nameLimitBytes else { throw .modelNotFound(try string("model") ?? "") }
        return try string("model")
    }

    /// Returns a text field; nil if the field is absent. Throws unless it is one of `words`.
    package func choice(_ name: StaticString, _ words: [String]) throws(APIError) -> String? {
        guard let length = try length(name) else { return nil }
        let word = length <= 64 ? try string(name) : nil
        guard let word, words.contains(where: { $0.hasSameBytes(as: word) }) else {
            throw .value("\(name)", "must be one of \(words.joined(separator: ", "))")
        }
        return word
    }

    fileprivate func check(_ integer: Int64, _ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int {
        if integer < range.lowerBound {
            throw .value("\(name)", "must be at least \(range.lowerBound)", code: "integer_below_min_value")
        }
        if integer > range.upperBound {
            throw .value("\(name)", "must be at most \(range.upperBound)", code: "integer_above_max_value")
        }
        return Int(integer)
    }

    fileprivate func check(
        _ number: Double,
        _ name: StaticString,
        _ range: ClosedRange<Double>
    ) throws(APIError) -> Double {
        if number < range.lowerBound {
            throw .value("\(name)", "must be at least \(range.lowerBound)", code: "decimal_below_min_value")
        }
        if number > range.upperBound {
            throw .value("\(name)", "must be at most \(range.upperBound)", code: "decimal_above_max_value")
        }
        return number
    }
}

/// The fields of a multipart form or a query. A field with an empty value counts as absent.
package struct FormFields: CallFields {
    private let fields: [(name: String, text: String)]

    /// The longest text that is read as a number or a boolean, in bytes.
    private static let numberLimitBytes = 64

    /// Creates the fields. The names `name[]` and `name[0]` are read as `name`.
    package init(_ fields: [(name: String, text: String)]) {
        self.fields = fields.filter { !$0.text.isEmpty }.map { (String($0.name.withoutIndex), $0.text) }
    }

    /// Returns the value of the first field of this name; nil if the field is absent.
    package func string(_ name: StaticString) throws(APIError) -> String? {
        fields.first { $0.name.isSame(as: name) }?.text
    }

    package func length(_ name: StaticString) throws(APIError) -> Int? { try string(name)?.utf8.count }

    package func strings(_ name: StaticString) -> [String] { fields.filter { $0.name.isSame(as: name) }.map(\.text) }

    private func short(_ name: StaticString) throws(APIError) -> String? {
        // A longer text is no valid number, either.
        try string(name).map { $0.utf8.count <= Self.numberLimitBytes ? $0 : "" }
    }

    package func flag(_ name: StaticString) throws(APIError) -> Bool? {
        switch try short(name)?.lowercased() {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        default: throw .type("\(name)", "a boolean")
        }
    }

    package func integer(_ name: StaticString, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = try short(name) else { return nil }
        guard let integer = Int64(text) else { throw .type("\(name)", "an integer") }
        return try check(integer, name, range)
    }

    package func number(_ name: StaticString, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let text = try short(name) else { return nil }
        guard let number = Double(text), number.isFinite else { throw .type("\(name)", "a number") }
        return try check(number, name, range)
    }
}

extension String {
    /// Returns whether the string has exactly the bytes of `word`.
    package func isSame(as word: StaticString) -> Bool {
        utf8.count == word.utf8CodeUnitCount
            && utf8.elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// The field name without an index in brackets at its end: `image` for `image[0]`.
    package var withoutIndex: Substring { self[..<(utf8.firstIndex(of: UInt8(ascii: "[")) ?? endIndex)] }
}

/// The fields of a JSON object. A field with the value `null` counts as absent.
package struct RequestFields: CallFields {
    private let members: [JSONMember]
    /// A bit set of the field names. If a name's bit is 0, the field is absent.
    private let bits: UInt64

    /// Creates the fields of a request body. Throws if the body is not a JSON object.
    package init(_ root: JSONValue) throws(APIError) {
        guard let members = root.members else { throw APIError(400, "The body must be a JSON object.") }
        self.members = members
        bits = members.reduce(0) { $0 | Self.bit(of: $1.name) }
    }

    @inline(__always)
    private static func bit(of name: UnsafeRawBufferPointer) -> UInt64 {
        guard name.count > 0 else { return 1 }
        let (first, last) = (name[0], name[name.count - 1])
        let mix = UInt64(truncatingIfNeeded: name.count) &* 25 &+ UInt64(first) &+ 3 &* UInt64(last)
        return 1 << (mix % 64)
    }

    /// The value of the first field of this name; nil if the field is absent or null.
    package subscript(_ name: StaticString) -> JSONValue? {
        @inline(__always)
        get { bits & Self.bit(of: UnsafeRawBufferPointer(name)) == 0 ? nil : found(name) }
    }

    @inline(never)  // The caller's test of one bit is inlined, and fails for most names.
    private func found(_ name: StaticString) -> JSONValue? {
        guard let value = members.first(where: { $0.name.equals(name) })?.value, value.kind != .null else { return nil }
        return value
    }

    /// Returns the members that are not known, each as `,"name":value`; nil if all are known.
    func unknown(_ isKnown: (UnsafeRawBufferPointer) -> Bool) -> Body? { Self.unknown(members, isKnown) }

    static func unknown(
        _ members: [JSONMember],
        _ isKnown: (UnsafeRawBufferPointer) -> Bool
    ) -> Body? {
        var text = ByteBuffer()
        for (name, value) in members where !isKnown(name) {
            text.append(",", json: name, ":")
            value.append(to: &text)
        }
        return text.isEmpty ? nil : Body(text)
    }

    package func string(_ name: StaticString) throws(APIError) -> String? { try text(name)?.text }

    package func length(_ name: StaticString) throws(APIError) -> Int? { try text(name)?.count }

    private func text(_ name: StaticString) throws(APIError) -> UnsafeRawBufferPointer? {
        guard let value = self[name] else { return nil }
        guard let text = value.text else { throw .type("\(name)", "a string") }
        return text
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

    /// Throws if the request asks for moderation that blocks responses, which the relay does not support.
    func refuseBlocking() throws(APIError) {
        guard let policy = try object("moderation")?["policy"] else { return }
        for side in [policy, policy["input"], policy["output"]] where side?["mode"]?.text?.equals("block") ?? false {
            throw .unsupported("moderation.policy", "Blocking responses by moderation is not supported.")
        }
    }

    /// Checks the texts in `metadata`.
    func checkMetadata() throws(APIError) {
        let members = self["metadata"]?.members ?? []
        guard members.count <= 16 else { throw .value("metadata", "must have at most 16 members") }
        for (name, value) in members {
            let name = name.text
            guard name.unicodeScalars.count <= 64 else {
                throw .value("metadata", "the names must have at most 64 characters")
            }
            guard let text = value.string else { throw .type("metadata.\(name)", "a string") }
            guard text.unicodeScalars.count <= 512 else {
                throw .value("metadata.\(name)", "must have at most 512 characters")
            }
        }
    }
}
