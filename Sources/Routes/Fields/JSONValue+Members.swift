import Engine
import Shared

/// Functions that read an object's members. Their parameter `param` is the object's path, for error messages.
extension JSONValue {
    /// Returns the text of a member. Throws if the member is absent or no string.
    func requiredText(
        _ name: StaticString,
        _ param: @autoclosure () -> String
    ) throws(APIError) -> UnsafeRawBufferPointer {
        guard let value = self[name] else { throw .missing("\(param()).\(name)") }
        guard let text = value.text else { throw .type("\(param()).\(name)", "a string") }
        return text
    }

    func object(_ name: StaticString, _ param: @autoclosure () -> String) throws(APIError) -> JSONValue? {
        guard let value = self[name] else { return nil }
        guard value.kind == .object else { throw .type("\(param()).\(name)", "an object") }
        return value
    }

    func string(_ name: StaticString, _ param: @autoclosure () -> String) throws(APIError) -> String? {
        guard let value = self[name] else { return nil }
        guard let string = value.string else { throw .type("\(param()).\(name)", "a string") }
        return string
    }

    func flag(_ name: StaticString, _ param: @autoclosure () -> String) throws(APIError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.flag else { throw .type("\(param()).\(name)", "a boolean") }
        return flag
    }

    /// Returns the name of a tool or schema. Throws unless it has 1 to `limitBytes` letters, digits, `_` and `-`.
    func toolName(_ param: @autoclosure () -> String, limitBytes: Int = 64) throws(APIError) -> String {
        try toolNameText(param(), limitBytes: limitBytes).text
    }

    /// Throws if the object's member `name` is not a valid tool name.
    func checkToolName(_ param: @autoclosure () -> String) throws(APIError) {
        _ = try toolNameText(param(), limitBytes: 64)
    }

    private func toolNameText(
        _ object: @autoclosure () -> String,
        limitBytes: Int
    ) throws(APIError) -> UnsafeRawBufferPointer {
        guard kind == .object else { throw .type(object(), "an object") }
        var param: String { "\(object()).name" }
        let text = try requiredText("name", object())
        guard text.count <= limitBytes else { throw .tooLong(param, text.count, limitBytes: limitBytes) }
        let isName = text.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        guard isName, !text.isEmpty else {
            throw .value(param, "must be 1 to \(limitBytes) characters of a-z, A-Z, 0-9, _ and -")
        }
        return text
    }
}
