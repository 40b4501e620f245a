import Engine
import Shared

extension OpenAILike {
    /// Sends a request for embeddings, and waits for the response. If the server refuses a field, changes the request
    /// as it does for chats, and sends it again.
    func openEmbeddings(
        _ request: UpstreamCall,
        _ model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any UpstreamStream {
        let call = CallQuirks.of(attempt)
        var findings = RequestFindings(wire, model, call.owner)
        var body = request.body ?? Body(ByteBuffer())
        for (finding, isDue) in wire.known(model, for: call).others where !finding.changes.isEmpty {
            guard finding.concerns(RawJSON(body.bytes)), !findings.ignores(finding, isDue: isDue) else { continue }
            body = finding.applied(to: body)
        }
        while true {
            let sent = UpstreamCall(endpoint: request.endpoint, headers: request.headers, body: body)
            let stream = try await attempt.open(sent, on: wire.transport)
            if stream.head.status / 100 == 2 {
                findings.keep(with: call)
                return stream
            }
            let refused = try await stream.refusal(limitBytes: Self.refusalLimitBytes)
            let reader = ErrorResponseReader(wire.tools.parser, errorTable, namesFields: true)
            let refusedRequest = RefusedRequest(body, beside: [model.id])
            guard let refusal = reader.refusal(stream.head, refused.bytes, of: refusedRequest, known: []) else {
                throw self.refusal(stream.head, refused, to: refusedRequest)
            }
            guard findings.mayGrow, let found = refusal.finding(among: [refusal.findingOfEncoding].compactMap(\.self))
            else { throw wire.headers.hiding(refusal.error) }
            let changed = found.applied(to: body)
            _ = findings.add(found, of: refusal, changed: changed)
            body = changed
            try await findings.keeping { () async throws(UpstreamError) in
                try await attempt.next(afterRefusal: stream.head.status)
            }
        }
    }
}

extension Refusal {
    /// The finding that the server sends vectors as numbers only; nil if the error does not say so.
    fileprivate var findingOfEncoding: QuirkFinding? {
        guard request["encoding_format"]?.content == "base64" else { return nil }
        guard names("encoding_format") || words.name("base64") else { return nil }
        return QuirkFinding([FieldChange("encoding_format", .dropUnless(["float"]))])
    }
}
