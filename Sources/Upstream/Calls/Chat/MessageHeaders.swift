/// The header lines of a client's Messages request that a vendor with the same API gets.
package struct MessageHeaders: Sendable {
    /// The values of all `anthropic-beta` lines, joined by commas; empty if the client sent none.
    package var betas: String
    /// The value of `anthropic-version`; nil if the client sent none.
    package var version: String?
    /// Whether the client sent its key as a bearer token only, and not as `x-api-key`.
    package let hasBearer: Bool

    package init(betas: String, version: String?, hasBearer: Bool) {
        self.betas = betas
        self.version = version
        self.hasBearer = hasBearer
    }

    /// The longest `anthropic-version` of a client, in bytes.
    package static let versionLimitBytes = 64
    private static let longWindowBeta = "context-1m-2025-08-07"

    /// Adds the beta for a context window of a million tokens, unless the client sent the beta itself.
    package mutating func askForLongWindow() {
        if betas.contains(Self.longWindowBeta) { return }
        betas += betas.isEmpty ? Self.longWindowBeta : ",\(Self.longWindowBeta)"
    }
}
