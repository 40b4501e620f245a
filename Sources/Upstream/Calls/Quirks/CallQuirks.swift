import Engine
import Limits
package import Shared

/// The quirks that one chat call has met itself, and the caller for whom quirks are remembered.
package struct CallQuirks: Sendable {
    package enum Owner: Hashable, Sendable {
        /// No caller. Nothing is remembered.
        case none
        /// A caller with a token that the settings declare, as a part of the digest of its identity.
        case known(UInt64)
        /// All callers without a key together.
        case anonymous
        /// A caller with a vendor's key of its own, as a part of the digest of its identity.
        case passThrough(UInt64)

        /// Makes the owner of a caller's calls. Tokens of one `KEY_<NAME>` are one owner, because the operator did not
        /// set them apart, and so are the keys of one group (the first of several) or family. No other code decides which
        /// callers count as one.
        package init(_ caller: Caller?) {
            switch (caller?.kind, caller?.identity) {
            case (.known?, let identity?):
                self = .known((caller?.key?.voice ?? identity).digest.words.0)
            case (.passThrough?, let identity?): self = .passThrough(identity.digest.words.0)
            case (.anonymous?, _): self = .anonymous
            default: self = .none
            }
        }

        /// The number that differs between callers of one memory; 0 for owners with a memory of their own.
        package var voice: UInt64 { if case .known(let caller) = self { caller } else { 0 } }
    }

    package var owner = Owner.none
    /// Whether the call belongs to the session of an agent.
    package var isOfSession = false
    /// The quirks that the vendor's responses to this call have shown. Those that hold for later calls are remembered
    /// after the call has succeeded.
    package var met: [QuirkFinding] = []
    /// The remembered quirks that this call ignores, to find out whether they still hold.
    package var tried: [QuirkFinding] = []

    package init() {}
}
