import Calls
import Engine
import Shared

/// The differences between Anthropic and Vertex AI, which both offer Claude with the Messages API.
struct AnthropicDialect: Sendable {
    /// Whether the API version accepts `temperature` and other sampling fields.
    let supportsSampling: Bool
    /// Whether the service is Vertex AI; false for Anthropic's own service.
    let isVertex: Bool
    let errorTable: VendorErrorTable

    /// Appends the body's first member (the model, or Vertex AI's API version) and a comma.
    func appendOpening(_ model: String, to out: inout ByteBuffer) {
        if isVertex { return out.append(#""anthropic_version":"vertex-2023-10-16","#) }
        out.append(#""model":"#)
        out.append(json: model)
        out.append(",")
    }

    /// Whether Vertex AI refused the request because an organisation policy in Google Cloud forbids structured outputs.
    func refusesFormats(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        _ errorReader: ErrorResponseReader
    ) -> Bool {
        guard isVertex, head.status == 400 || head.status == 403,
            errorReader.vendorError(head, refusal).words.say("allowedpartnermodelfeatures")
        else { return false }
        return RawJSON(request.bytes)["output_config"]?["format"] != nil
    }
}
