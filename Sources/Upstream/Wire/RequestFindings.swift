import Engine
import Shared

/// The findings of one request to a vendor: those that its refusals show, and known ones that it ignores.
struct RequestFindings {
    private let vendor: WireVendor
    private let model: String
    private let owner: CallQuirks.Owner
    /// The findings that the vendor's responses have shown.
    private(set) var learned: [QuirkFinding] = []
    /// The known findings that the request ignores, to find out whether they still hold.
    private var tried: [QuirkFinding] = []
    /// The words and the field of the refusal that showed the last finding.
    private var (lastWords, lastParam) = ("", String?.none)

    private static let maxChanges = 3

    init(_ vendor: WireVendor, _ model: Model, _ owner: CallQuirks.Owner) {
        self.vendor = vendor
        self.model = model.id
        self.owner = owner
    }

    private var caller: ModelCaller { ModelCaller(vendor.name, model, owner) }

    var isEmpty: Bool { learned.isEmpty && tried.isEmpty }

    /// Whether the request may be changed and sent again.
    var mayGrow: Bool { learned.count < Self.maxChanges }

    /// Returns whether the request ignores a known finding that concerns it.
    mutating func ignores(_ finding: QuirkFinding, isDue: Bool) -> Bool {
        guard isDue, vendor.quirks.beginTrial(of: finding, for: caller) else { return false }
        tried.append(finding)
        return true
    }

    mutating func add(_ finding: QuirkFinding) { learned.append(finding) }

    /// Adds the finding of a refusal. Returns it as it holds for later requests.
    /// - Parameters:
    ///   - changed: the request with the change.
    ///   - token: a secret in the request's headers other than the key; nil if there is none.
    mutating func add(_ found: QuirkFinding, of refusal: Refusal, changed: Body, token: String? = nil) -> QuirkFinding {
        let finding = described(found, of: refusal, changed: RawJSON(changed.bytes), token: token)
        let error = refusal.vendorError
        if let index = learned.indices.last,
            refusal.persists(after: learned[index], before: finding)
                || error.wording.hasSameBytes(as: lastWords) && error.param == lastParam
        {
            // The last change did not help.
            learned[index].isLasting = false
        }
        (lastWords, lastParam) = (error.wording, error.param)
        learned.append(finding)
        return finding
    }

    /// Returns the finding with the vendor's words, as it holds for later requests.
    /// - Parameter changed: the request with the finding's change; nil for a lacking ability.
    func described(_ found: QuirkFinding, of refusal: Refusal, changed: RawJSON?, token: String?) -> QuirkFinding {
        var found = found
        // A message that was not compared with the whole request may have its words.
        if !refusal.words.isComplete { found.isLasting = false }
        var finding = refusal.combination.scoped(found, changed: changed)
        // A message with a secret is not shown.
        if !vendor.headers.hiding(refusal.error, token).message.isEmpty {
            finding.words = refusal.words.forOperators(of: refusal.request.bytes)
        }
        return finding
    }

    /// Remembers what the request has shown, after the vendor has served it: the findings for which it was changed, and
    /// that those of the other findings which it ignored no longer hold.
    /// - Parameter call: the quirks that earlier requests of the call have shown.
    @inline(never)  // Rarely called.
    mutating func keep(with call: CallQuirks) {
        let shown = learned + call.learned
        let gone = (tried + call.tried).filter { finding in !shown.contains { finding.isCovered(by: $0) } }
        vendor.quirks.forget(gone, for: caller)
        vendor.quirks.learn(shown.filter(\.isLasting), for: caller)
        learned.removeAll { $0.isLasting }
        tried = []
    }

    /// Remembers findings for this caller although no changed request was served.
    func keepUnproven(_ findings: [QuirkFinding]) {
        vendor.quirks.learn(findings.filter(\.isLasting), for: caller, isProven: false)
    }

    /// Runs `begin`, which prepares the next call. If `begin` throws, remembers for this caller what the
    /// request has shown: without this, each call could need a repetition for which there is no capacity.
    func keeping(_ begin: () async throws(UpstreamError) -> Void) async throws(UpstreamError) {
        do throws(UpstreamError) {
            try await begin()
        } catch {
            keepUnproven(learned)
            throw error
        }
    }
}
