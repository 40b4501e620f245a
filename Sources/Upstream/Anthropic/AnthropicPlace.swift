import Calls
import Engine
import Shared

/// The parts of calls that differ between the places where Claude is served.
struct AnthropicPlace: Sendable {
    /// The version of the wire still knows temperatures.
    let takesSampling: Bool
    /// The model is a part of the address, and the version one of the request. Some failures are told as Google does.
    let isVertex: Bool
    let faults: FaultTable

    /// The first members, each with a comma behind it.
    func appendOpening(_ model: String, to out: inout ByteBuffer) {
        if isVertex { return out.append(#""anthropic_version":"vertex-2023-10-16","#) }
        out.append(#""model":"#)
        out.append(json: model)
        out.append(",")
    }

    /// An organisation may have to permit the schemas of answers at Vertex AI, which the refusal then says.
    func refusesFormats(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        _ faults: FaultReader
    ) -> Bool {
        guard isVertex, head.status == 400 || head.status == 403,
            faults.fault(head, refusal).words.say("allowedpartnermodelfeatures")
        else { return false }
        return RawJSON(request.bytes)["output_config"]?["format"] != nil
    }
}
