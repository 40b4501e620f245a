import Engine
package import Shared

extension Cohere: Forwarder {
    package func forwards(_ endpoint: ForwardedEndpoint) -> Bool { endpoint == .rerank }

    /// Forwards a request to sort documents, with the fields that Cohere has.
    package func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any ForwardedResponse {
        guard case .json(let original) = request.content else {
            throw UpstreamError(.failed, cause: "the request is a form")
        }
        let order = try RerankRequest(original)
        let call = UpstreamCall(
            endpoint: rerank,
            headers: wire.headers.headers(for: attempt.key),
            body: order.written(model: model.id)
        )
        let response = try await attempt.retrying { () async throws(UpstreamError) in
            let response = try await attempt.send(call, on: wire.transport)
            guard response.head.status == 200 else {
                let reader = ErrorResponseReader(wire.tools.parser, VendorError.cohere, namesFields: true)
                let sent = RefusedRequest(call.body, beside: [model.id])
                throw wire.headers.hiding(reader.error(response.head, response.body.bytes, to: sent))
            }
            return response
        }
        return try RerankResponse(response.body, to: order, model: request.model, wire.tools.parser)
    }
}

/// A request to sort documents, as the client sent it.
private struct RerankRequest {
    /// The fields that Cohere has, but for the model and the documents.
    private var fields: [RawJSON.Member] = []
    /// The text of each document, as JSON.
    private(set) var documents: [RawJSON] = []
    /// Whether each result has its document.
    private(set) var returnsDocuments = false
    private let body: Body

    init(_ body: Body) throws(UpstreamError) {
        self.body = body
        for member in RawJSON(body.bytes).members {
            switch member.name {
            case "query", "top_n", "max_tokens_per_doc": if !member.value.isNull { fields.append(member) }
            case "return_documents": returnsDocuments = member.value.bytes.equals("true")
            case "documents":
                for document in member.value.elements {
                    let text =
                        document.isObject ? document.members.first(where: { $0.name == "text" })?.value : document
                    guard let text, text.content != nil else {
                        throw UpstreamError(skipping: .type("documents", "an array of strings or objects with 'text'"))
                    }
                    documents.append(text)
                }
            default: continue
            }
        }
    }

    func written(model: String) -> Body {
        var out = ByteBuffer()
        out.append(#"{"model":"#, json: model)
        for field in fields { out.append(next: field) }
        out.append(#","documents":"#)
        out.append(array: documents) { $1.append($0.bytes) }
        out.append("}")
        return Body(out)
    }
}

/// Cohere's response to a request to sort documents, with the model and, if the client wants them, the documents.
private final class RerankResponse: ForwardedResponse, OnLoop, @unchecked Sendable {
    let whole: Body?
    private(set) var usage: Usage?
    var status: Int { 200 }
    var isEventStream: Bool { false }
    var mediaType: String { "application/json" }

    init(_ body: Body, to order: RerankRequest, model: String, _ parser: JSONParser) throws(UpstreamError) {
        let root = try parser.response(body.bytes)
        guard root["results"]?.elements != nil else { throw .ofOtherForm }
        if let units = root["meta"]?["billed_units"]?["search_units"]?.tokens { usage = Usage(pieces: units, .search) }
        var out = ByteBuffer()
        out.append(#"{"model":"#, json: model)
        for member in RawJSON(body.bytes).members where member.name != "model" {
            guard order.returnsDocuments, member.name == "results" else {
                out.append(next: member)
                continue
            }
            out.append(#","results":["#)
            for (resultIndex, result) in member.value.elements.enumerated() {
                guard
                    let index = result.members.first(where: { $0.name == "index" }).flatMap({ Int($0.value.bytes.text) }
                    ),
                    order.documents.indices.contains(index)
                else { throw .ofOtherForm }
                out.append(resultIndex == 0 ? "{" : ",{")
                out.append(#""document":{"text":"#, order.documents[index].bytes, "}")
                for member in result.members where member.name != "document" { out.append(next: member) }
                out.append("}")
            }
            out.append("]")
        }
        out.append("}")
        whole = Body(out)
    }

    func more() async throws(UpstreamError) -> Bool { false }
    func receive(into buffer: inout ByteBuffer) {}
    func stop() {}
}
