import Engine
import Shared

extension JSONValue {
    /// Emits each URL citation of a choice in the form of the Responses API, which has no inner object.
    /// - Parameter name: the member that contains the choice's output: `delta` or `message`.
    func forEachCitation(in name: StaticString, _ emit: (UnsafeRawBufferPointer) -> Void) {
        for annotation in self[name]?["annotations"]?.elements ?? JSONElements() {
            guard annotation["type"]?.text == "url_citation", let members = annotation["url_citation"]?.members else {
                continue
            }
            var flat = ByteBuffer(#"{"type":"url_citation""#)
            for (name, value) in members where !name.equals("type") {
                flat.append(",", json: name, ":")
                value.append(to: &flat)
            }
            flat.append("}")
            emit(flat.bytes)
        }
    }
}
