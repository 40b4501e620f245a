import Calls

extension VendorError {
    /// Finds the failures of Gemini on Vertex AI that the HTTP status alone does not identify.
    static let vertexGemini: VendorErrorTable = { $0.ofVertex ?? $0.ofGemini }

    /// Finds the failures of Claude on Vertex AI that the HTTP status alone does not identify. Some come from Claude,
    /// others from Google's servers in front of it.
    static let vertexClaude: VendorErrorTable = { $0.ofVertex ?? $0.ofAnthropic ?? $0.ofGemini }

    /// The error code of a refusal that asks for the project to which the call is billed.
    static let billingProjectRequired = "quota_project"

    private var ofVertex: UpstreamError? {
        guard status == 403, words.say("quota project") || words.say("x-goog-user-project") else { return nil }
        var error = new(.forbidden)
        error.code = Self.billingProjectRequired
        return error
    }
}
