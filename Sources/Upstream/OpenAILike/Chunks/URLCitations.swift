import Engine
import Shared

extension JSONValue {
    /// Emits each URL citation of the first choice in the form of the Responses API, which has no inner object.
    /// - Parameter name: the member that contains the choice's output: `delta` or `message`.
    func forEachCitation(in name: StaticString, _ emit: (UnsafeRawBufferPointer) -> Void) {
        let choice = self["choices"]?.elements?.first { _ in true }
        for annotation in choice?[name]?["annotations"]?.elements ?? JSONElements() {
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
