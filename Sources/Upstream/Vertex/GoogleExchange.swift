package import Engine
package import Shared

/// Exchanges a refresh token for an access token at Google's token server (RFC 6749, section 6).
package struct GoogleExchange: Sendable {
    struct New: Sendable {
        let text: String
        let seconds: Int
        /// The refresh token that replaces the sent one; nil if the sent one stays valid.
        let refreshToken: String?
    }

    enum Outcome: Sendable {
        case token(New)
        /// The token server refused the request, and a retry would not help. The value is the cause.
        case refused(String)
        /// The request failed, but a later request might succeed. The value is the cause.
        case failed(String)
    }

    private let endpoint: Endpoint
    private let account: CloudSettings.Account

    private static let timeoutMilliseconds = 10_000
    private static let responseBytes = 262_144
    private static let tokenBytes = 8_192
    private static let standardSeconds = 300
    private static let longestSeconds = 86_400
    private static let headers = UpstreamHeaders([
        "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", "User-Agent: relay",
    ])

    /// Creates the exchange for an account; nil if the URL of the token server is invalid.
    package init?(_ account: CloudSettings.Account, _ options: EndpointOptions) {
        var options = options
        options.connectMilliseconds = min(options.connectMilliseconds, Self.timeoutMilliseconds)
        options.firstByteMilliseconds = min(options.firstByteMilliseconds, Self.timeoutMilliseconds)
        options.totalMilliseconds = min(options.totalMilliseconds, Self.timeoutMilliseconds)
        options.responseLimitBytes = Self.responseBytes
        guard let endpoint = Endpoint(account.tokenURL, options) else { return nil }
        self.endpoint = endpoint
        self.account = account
    }

    var refreshToken: String { account.refreshToken }

    func token(for refreshToken: String, by transport: any Transport) async -> Outcome {
        var form = ByteBuffer()
        form.append("client_id=\(account.clientID.escapedInQuery)")
        form.append("&client_secret=\(account.clientSecret.escapedInQuery)")
        form.append("&refresh_token=\(refreshToken.escapedInQuery)&grant_type=refresh_token")
        let response: UpstreamResponse
        do throws(TransportError) {
            response = try await transport.send(
                UpstreamCall(endpoint: endpoint, headers: Self.headers, body: Body(form))
            )
        } catch {
            return .failed("the token server: \(error.cause(ofCallTo: endpoint))")
        }
        return Self.outcome(response)
    }

    private static func outcome(_ response: UpstreamResponse) -> Outcome {
        let parser = JSONParser()
        let body = response.body
        return withExtendedLifetime((parser, body)) {
            let root = body.bytes.isEmpty ? nil : try? parser.parse(body.bytes)
            guard response.head.status == 200 else { return failure(response.head.status, root) }
            guard let text = root?["access_token"]?.text, isToken(text) else {
                return .failed("the token server returned no token")
            }
            let seconds = root?["expires_in"]?.number.flatMap { $0 >= 1 ? Int(min($0, Double(longestSeconds))) : nil }
            let new = root?["refresh_token"]?.text.flatMap { isToken($0) ? $0.text : nil }
            return .token(New(text: text.text, seconds: seconds ?? standardSeconds, refreshToken: new))
        }
    }

    /// Returns the outcome for an error response. `root` is nil if the response is not JSON.
    private static func failure(_ status: Int, _ root: JSONValue?) -> Outcome {
        let word = root?["error"]?.text.flatMap { isWord($0) ? $0.text : nil }
        let subtype = root?["error_subtype"]?.text.flatMap { isWord($0) ? $0.text : nil }
        let reported = [word, subtype].compactMap { $0 }.joined(separator: ", ")
        let cause = "the token server returned status \(status)\(reported.isEmpty ? "" : " \(reported)")"
        if status == 408 || status == 429 || status / 100 != 4 || word == "internal_failure" { return .failed(cause) }
        switch word {
        case "invalid_grant": return .refused("\(cause): the refresh token has ended or was revoked; make a new one")
        case "invalid_client", "unauthorized_client":
            return .refused("\(cause): check the id and the secret of the client, and that the token is of this client")
        default: return .refused(cause)
        }
    }

    /// Whether the text can be a token in a header: visible ASCII characters.
    private static func isToken(_ text: UnsafeRawBufferPointer) -> Bool {
        (1...tokenBytes).contains(text.count) && text.allSatisfy { (33...126).contains($0) }
    }

    private static func isWord(_ text: UnsafeRawBufferPointer) -> Bool {
        (1...64).contains(text.count) && text.allSatisfy { (97...122).contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// Tests a Google account: gets an access token and requests a list of models with it.
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
            let question = KeyQuestion(url: url, options: options, headers: headers, members: "publisherModels")
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

/// A Google Cloud project, and the locations of Vertex AI at which the relay calls models for the project.
package struct VertexSite: Sendable {
    let vendor: VendorSite
    let project: String
    let locations: LocationCooldowns
    /// The access tokens of the project's Google account; nil if callers send passthrough keys.
    let tokens: GoogleTokens?
    /// The URLs of the project on Vertex AI, one for each location.
    let locationURLs: [String]

    /// - Parameter vendor: the site in the settings; if its base URL is empty, each location has its own host.
    package init(_ vendor: VendorSite, _ cloud: CloudSettings, locations: LocationCooldowns, tokens: GoogleTokens?) {
        self.vendor = vendor
        project = cloud.projectID
        self.locations = locations
        self.tokens = tokens
        locationURLs = cloud.locations.map { location in
            let host = vendor.baseURL.isEmpty ? "https://\(Self.host(location))" : vendor.baseURL
            return "\(host)/v1/projects/\(cloud.projectID)/locations/\(location)"
        }
    }

    static func host(_ location: String) -> String {
        switch location {
        case "global": "aiplatform.googleapis.com"
        case "us", "eu": "aiplatform.\(location).rep.googleapis.com"
        default: "\(location)-aiplatform.googleapis.com"
        }
    }
}

extension VendorError {
    /// A function that recognises errors of Gemini models on Vertex AI that the HTTP status alone does not identify.
    static let vertexGemini: VendorErrorTable = { $0.ofVertex ?? $0.ofGemini }

    /// A function that recognises errors of Claude models on Vertex AI that the HTTP status alone does not identify.
    static let vertexClaude: VendorErrorTable = { error in
        // Google's quotas of a minute are no spent money.
        let ofClaude = error.names("RESOURCE_EXHAUSTED") ? nil : error.ofAnthropic
        return error.ofVertex ?? ofClaude ?? error.ofGemini
    }

    /// The error code for a refusal because the request does not name the project to bill.
    static let billingProjectRequired = "quota_project"

    private var ofVertex: UpstreamError? {
        guard status == 403, words.say("quota project") || words.say("x-goog-user-project") else { return nil }
        var error = new(.forbidden)
        error.code = Self.billingProjectRequired
        return error
    }
}
