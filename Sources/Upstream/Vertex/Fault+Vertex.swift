import Calls

extension Fault {
    /// The failures that their status alone does not tell, as Vertex AI tells them.
    static let vertexGemini: FaultTable = { $0.ofVertex ?? $0.ofGemini }

    /// The same, of Claude: some come from it, others from Google's servers before it.
    static let vertexClaude: FaultTable = { $0.ofVertex ?? $0.ofAnthropic ?? $0.ofGemini }

    /// The code of a refusal that asks for the project which the call is counted for.
    static let wantsProject = "quota_project"

    private var ofVertex: UpstreamError? {
        guard status == 403, words.say("quota project") || words.say("x-goog-user-project") else { return nil }
        var error = new(.forbidden)
        error.code = Self.wantsProject
        return error
    }
}
