import Glibc

extension VendorError {
    /// A function that recognises Cloudflare's errors by their numeric codes, and OpenAI's errors.
    static let cloudflare: VendorErrorTable = { $0.ofCloudflare ?? $0.ofOpenAI }

    private var ofCloudflare: UpstreamError? {
        switch code {
        case "5007", "3042": return new(.unknownModel)
        case "5004", "3003", "3039":
            // Responses with a successful status may contain this code, too.
            return status == 400 ? nil : of(400).ofOpenAI ?? of(400).error
        case "5016", "5018", "3041": return deniedModel
        case "3023", "10000": return new(.badKey)
        case "3006": return of(413).error
        case "3007", "3008": return of(408).error
        case "3036", "4006": return new(.outOfCredit, seconds: Self.secondsToMidnight(at: Int(Glibc.time(nil))))
        case "3040": return new(.unavailable, seconds: nil)
        case "5005", "5019": return new(.failed)
        default: return nil
        }
    }

    private func of(_ status: Int) -> VendorError {
        var vendorError = self
        vendorError.status = status
        return vendorError
    }

    /// Returns the seconds until midnight (UTC), when Cloudflare's daily allowance starts again.
    /// - Parameter now: the time in seconds since 1970.
    static func secondsToMidnight(at now: Int) -> Int { 86_400 - ((now % 86_400) + 86_400) % 86_400 }
}
