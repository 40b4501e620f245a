import Calls
import Engine
import Shared

/// The parts of a call that differ between the services that serve Claude: Anthropic's API and Vertex AI.
struct AnthropicDialect: Sendable {
    /// Whether the version of the API supports temperature and other sampling fields.
    let supportsSampling: Bool
    /// Whether Claude is served by Vertex AI. The URL then contains the model, the body contains the API version, and
    /// some failures have Google's form.
    let isVertex: Bool
    let errorTable: VendorErrorTable

    /// Appends the first members of the request, each followed by a comma.
    func appendOpening(_ model: String, to out: inout ByteBuffer) {
        if isVertex { return out.append(#""anthropic_version":"vertex-2023-10-16","#) }
        out.append(#""model":"#)
        out.append(json: model)
        out.append(",")
    }

    /// Whether Vertex AI refused the request because the organisation's policy does not permit response schemas.
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
