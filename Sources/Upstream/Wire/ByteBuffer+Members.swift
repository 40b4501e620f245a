import Engine

/// Members of a JSON object, each behind another one.
extension ByteBuffer {
    mutating func append(member name: StaticString) {
        append(",\"")
        append(name)
        append("\":")
    }

    mutating func append(_ name: StaticString, _ number: Int) {
        append(member: name)
        append(decimal: number)
    }

    mutating func append(_ name: StaticString, _ number: Double) {
        append(member: name)
        append("\(number)")
    }

    mutating func append(_ name: StaticString, _ flag: Bool) {
        append(member: name)
        append(flag ? "true" : "false")
    }

    mutating func append(_ name: StaticString, _ text: String) {
        append(member: name)
        append(json: text)
    }

    mutating func append(_ name: StaticString, _ json: Body) {
        append(member: name)
        append(json.bytes)
    }
}
