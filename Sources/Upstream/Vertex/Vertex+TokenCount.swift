package import Calls
package import Engine
package import Shared

extension Vertex: MessageTokenCounter {
    package func tokenCount(
        of request: OriginalRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Body {
        let addresses = addresses(of: "count-tokens")
        guard publisher == .anthropic, !addresses.isEmpty else { throw .invalidResponse("the model is not counted") }
        let route = VertexRoute(self, "count-tokens", addresses: addresses, attempt: attempt)
        try await route.begin()
        let dialect = AnthropicDialect.vertex(site.vendor.clientInfo)
        let body = OriginalMessage.written(request, model: model.id, dialect: dialect, namesModel: true)
        let headers = wire.headers(of: request, dialect, model, attempt, route.headers, for: route.key)
        let endpoint = route.endpoint(isStreamed: false)
        return try await wire.tokenCount(at: endpoint, headers, body, by: attempt)
    }
}
