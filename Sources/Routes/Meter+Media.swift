import Shared
import Upstream

extension Meter {
    /// Of calls that make images, or speak; nil where nothing but requests is counted.
    convenience init?(images: Int, calls: Int, _ candidate: Registry.Candidate, _ cover: Cover, _ gateway: Gateway) {
        guard gateway.limits.countsLate || !cover.isPlain else { return nil }
        let means = gateway.limiter.means
        let isCounted = candidate.takesCredits && !cover.isPlain
        let creditsPerCall = isCounted ? means.expected(of: candidate.model.id).credits : 0
        self.init(
            reserving: Amounts(images: images, credits: calls * creditsPerCall),
            model: candidate.model.id,
            price: nil,
            creditsPerCall: creditsPerCall,
            means: means
        )
    }

    /// A call was answered in full.
    func made(credits: Int?) { answered(Usage(promptTokens: 0, completionTokens: 0), credits: credits) }

    func failed(_ error: UpstreamError) {
        failed(error, after: Usage(promptTokens: 0, completionTokens: 0))
    }
}
