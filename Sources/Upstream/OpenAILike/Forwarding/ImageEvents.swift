import Engine
import Glibc
import Shared

/// The maker of a stream's events from the whole response of a server that does not stream images.
struct ImageEvents: Sendable {
    private let type: String
    /// Further fields of an event: the names in the event and in the response, and the default values.
    private let fields: [(name: StaticString, source: StaticString, value: JSONFragment)]

    /// - Returns: nil for a request whose client does not want images as events.
    init?(_ request: ForwardedRequest) {
        switch request.endpoint {
        case .imageGenerations: type = "image_generation.completed"
        case .imageEdits: type = "image_edit.completed"
        default: return nil
        }
        guard request.wantsEvents else { return nil }
        // The values are the defaults of OpenAI's API.
        let requested = ([("size", "auto"), ("quality", "auto"), ("background", "auto"), ("output_format", "png")])
            .map { (name: StaticString, value: String) in (name, name, request.short(name) ?? "\(value)") }
        fields = [("created_at", "created", "\(time(nil))")] + requested
    }

    /// Returns an event for each image of a response, which was checked. The last one has the usage of all.
    func events(of response: Body) -> Body {
        let root = RawJSON(response.bytes)
        let images = root["data"].map { Array($0.elements.prefix(Self.maxImages)) } ?? []
        var out = ByteBuffer()
        for (index, image) in images.enumerated() {
            out.append("event: \(type)\n")
            var data = ByteBuffer(json: #"data: {"type":\#(type)"#)
            for member in image.members where !isOfEvent(member.name) { data.append(next: member) }
            for field in fields { append(field.name, root[field.source], or: field.value, to: &data) }
            append("usage", index == images.count - 1 ? root["usage"] : nil, or: Self.noUsage, to: &data)
            data.putOnOneLine()
            out.append(data.bytes)
            out.append("}\n\n")
        }
        return Body(out)
    }

    private static let maxImages = 1_000
    private static let noUsage: JSONFragment = #"""
        {"total_tokens":0,"input_tokens":0,"output_tokens":0,"input_tokens_details":{"text_tokens":0,"image_tokens":0}}
        """#

    /// Returns whether an event has this field besides those of its image.
    private func isOfEvent(_ name: UnsafeRawBufferPointer) -> Bool {
        name.equals("type") || name.equals("usage") || fields.contains { name.equals($0.name) }
    }

    private func append(_ name: StaticString, _ value: RawJSON?, or other: JSONFragment, to out: inout ByteBuffer) {
        out.append(#",""#, name, #"":"#)
        guard let value, !value.isNull else { return out.json(other) }
        out.append(value.bytes)
    }
}
