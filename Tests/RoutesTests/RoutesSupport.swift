import Engine
import Foundation
import Testing

func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let buffer = ByteBuffer(text)
    return body(buffer.bytes)
}

/// Returns the members of a JSON object.
func jsonMembers(_ json: String) -> [String: Any] {
    let value = try? JSONSerialization.jsonObject(with: Data(json.utf8))
    if value == nil { Issue.record("no JSON: \(json)") }
    return value as? [String: Any] ?? [:]
}

/// Returns the JSON of a value, with its members in the order of their names.
func sortedJSON(_ value: Any) -> String {
    let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed]
    let data = (try? JSONSerialization.data(withJSONObject: value, options: options)) ?? Data()
    return String(decoding: data, as: UTF8.self)
}
