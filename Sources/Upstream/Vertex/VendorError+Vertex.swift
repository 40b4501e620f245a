extension VendorError {
    /// A function that recognises errors of Gemini models on Vertex AI that the HTTP status alone does not identify.
    static let vertexGemini: VendorErrorTable = { $0.ofVertex ?? $0.ofGemini }

    /// A function that recognises errors of Claude models on Vertex AI that the HTTP status alone does not identify.
    static let vertexClaude: VendorErrorTable = { $0.ofVertex ?? $0.ofAnthropic ?? $0.ofGemini }

    /// The error code for a refusal because the request does not name the project to bill.
    static let billingProjectRequired = "quota_project"

    private var ofVertex: UpstreamError? {
        guard status == 403, words.say("quota project") || words.say("x-goog-user-project") else { return nil }
        var error = new(.forbidden)
        error.code = Self.billingProjectRequired
        return error
    }
}
