package import Engine

extension OneMin {
    /// Returns whether the vendor accepts a key. Does not read data of the key's account.
    package static func checkResult(
        on key: String,
        at baseURL: String,
        _ options: EndpointOptions,
        by transport: any Transport
    ) async -> KeyCheckResult {
        let url = "\(baseURL)/api/results/\(RandomBytes().uuid)"
        let headers = UpstreamHeaders(["API-KEY: \(key)", "Content-Type: application/json", "User-Agent: relay"])
        switch await KeyQuestion(url, options, headers: headers).ask(by: transport) {
        case .page: return .accepted(models: nil)
        case .checkResult(let checkResult): return checkResult
        }
    }
}
