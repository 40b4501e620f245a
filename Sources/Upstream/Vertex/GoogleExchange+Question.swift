package import Engine
package import Shared

extension GoogleExchange {
    /// Tests a Google account: gets an access token and requests a list of models with it.
    ///
    /// - Parameters:
    ///   - publisher: the publisher of the listed models: `google` or `anthropic`.
    ///   - site: the base URL of the first location, or of a server that replaces it.
    package func checkResult(
        on publisher: String,
        at site: String,
        project: String,
        _ options: EndpointOptions,
        by transport: any Transport
    ) async -> KeyCheckResult {
        switch await token(for: refreshToken, by: transport) {
        case .refused(let cause): return .refused(cause)
        case .failed(let cause): return .failed(cause)
        case .token(let token):
            let url = "\(site)/v1beta1/publishers/\(publisher)/models"
            let headers = UpstreamHeaders([
                "Authorization: Bearer \(token.text)", "x-goog-user-project: \(project)", "User-Agent: relay",
            ])
            var question = KeyQuestion(url, options, headers: headers)
            question.members = "publisherModels"
            switch await question.ask(by: transport) {
            case .page(let ids, _): return .accepted(models: ids)
            case .checkResult(.refused(let cause)): return .refused(cause.replacing(token.text, with: "..."))
            case .checkResult(.failed(let cause)): return .failed(cause.replacing(token.text, with: "..."))
            case .checkResult(let checkResult): return checkResult
            }
        }
    }
}

extension VertexSite {
    /// Returns the base URL of Vertex AI: `baseURL`, or the URL of the first location in the settings if `baseURL` is
    /// empty.
    package static func address(of cloud: CloudSettings, baseURL: String) -> String {
        baseURL.isEmpty ? "https://\(host(cloud.locations.first ?? "global"))" : baseURL
    }
}
