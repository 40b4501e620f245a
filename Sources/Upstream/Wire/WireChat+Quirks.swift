import Engine
import Shared

/// The quirks that change the request of a chat call, and those that the call learns.
extension WireChat {
    /// Changes the request body for the known quirks that concern only some requests, and decides for each quirk that
    /// was learned an hour ago whether this call ignores it. Finds the lack that the call meets beside another field.
    func applyOthers(needs: Abilities) {
        for (finding, isDue) in known.others {
            if finding.isLack {
                if meets(finding, needs), !findings.ignores(finding, isDue: isDue) { lack = Indirect(finding) }
                continue
            }
            guard let changed = changedBody(for: finding) else { continue }
            if !findings.ignores(finding, isDue: isDue) { change(to: changed, for: finding) }
        }
    }

    /// Returns whether the call meets a lack that is not emulated yet.
    private func meets(_ finding: QuirkFinding, _ needs: Abilities) -> Bool {
        guard let body = request?.body, finding.quirks.contains(where: { $0.concerns(needs) }) else { return false }
        return finding.concerns(RawJSON(body.bytes)) && !callQuirks.learned.contains { finding.isCovered(by: $0) }
    }

    /// Returns the request body with the change for a finding; nil if the finding does not concern the request.
    private func changedBody(for finding: QuirkFinding) -> Body? {
        // A search that the request demands stays, so that the vendor's refusal reaches the client.
        if mustSearch, finding.quirks.contains(where: \.dropsSearchTool) { return nil }
        guard let body = request?.body, finding.concerns(RawJSON(body.bytes), betas: form.betas) else { return nil }
        let changed = rewritten(body, for: finding)
        return finding.betas.isEmpty && changed.bytes.equals(body.bytes) ? nil : changed
    }

    /// Returns the request body with the change for a further finding.
    private func rewritten(_ request: Body, for finding: QuirkFinding) -> Body {
        let (body, named) = (finding.applied(to: request), finding.quirks.named)
        return named.isEmpty ? body : form.rewritten(body, with: named)
    }

    private func change(to changed: Body, for finding: QuirkFinding) {
        quirks.formUnion(finding.quirks)
        form.adopt(Set(finding.quirks))
        request?.body = changed
        // Betas are not in the body.
        if request?.source == .original, finding.betas.isEmpty { request?.source = .rebuilt }
    }

    /// Rewrites the request body for the quirk that the vendor's refusal shows. Throws the error of the refusal if no
    /// change helps.
    /// - Parameter sent: the quirks for which the refused request was changed.
    @inline(never)  // Rarely called.
    func change(
        after head: UpstreamHead,
        _ refused: Body,
        to sent: Set<Quirk>,
        by attempt: Attempt
    ) throws(UpstreamError) {
        // Another choice has changed the request meanwhile.
        if [400, 422].contains(head.status), quirks != sent { return }
        let request = refusedRequest(by: attempt)
        let refusal = errorReader.refusal(head, refused.bytes, of: request, known: quirks)
        try rewrite(after: refusal, errorReader.error(head, refused.bytes, to: request))
    }

    /// Rewrites the request body for the quirk that an unusable response shows. Throws the failure if the response shows
    /// none. If it shows that the model lacks an ability, the failure has the lack.
    @inline(never)  // Rarely called.
    func change(
        afterUnusable error: UpstreamError,
        to sent: Set<Quirk>,
        by attempt: Attempt
    ) throws(UpstreamError) {
        guard let finding = form.findingOfResponse else {
            let refusal = errorReader.refusal(error, of: refusedRequest(by: attempt), known: quirks)
            if refusal == nil || quirks == sent { try rewrite(after: refusal, error) }
            return
        }
        if finding.isLack { throw judged(lacking(finding, error)) }
        guard findings.mayGrow, let body = request?.body, !sent.isSuperset(of: finding.quirks) else {
            throw judged(error)
        }
        if !quirks.isSuperset(of: finding.quirks) {
            findings.add(finding)
            change(to: rewritten(body, for: finding), for: finding)
        }
    }

    /// Rewrites the request body for the quirk that the vendor's refusal shows.
    ///
    /// Throws the error of the refusal if no change helps. If the model lacks an ability, the error has the lack and the
    /// recovery option `emulation`.
    /// - Parameter error: the error if there is no refusal.
    private func rewrite(after refusal: Refusal?, _ error: @autoclosure () -> UpstreamError) throws(UpstreamError) {
        guard let refusal, let body = request?.body else { throw judged(error()) }
        let ofWindow = [400, 402, 413, 422].contains(refusal.status) ? refusal.findingOfWindow : nil
        guard var found = ofWindow ?? form.quirk(refusal) else { throw judged(refusal.error) }
        let token = route?.token
        if found.isLack {
            // A server may have the other API whatever the fields are.
            if Set(found.quirks).contains(anyOf: [.otherPath, .otherPathWithTools]) { found.isOfPair = true }
            throw lacking(findings.described(found, of: refusal, changed: nil, token: token), judged(refusal.error))
        }
        guard findings.mayGrow else { throw judged(refusal.error) }
        let changed = rewritten(body, for: found)
        change(to: changed, for: findings.add(found, of: refusal, changed: changed, token: token))
    }

    /// The failure of a call that meets a known lack.
    var failureOfLack: UpstreamError {
        @inline(never)  // Rarely called.
        get {
            let error = UpstreamError(.badRequest, cause: "the model lacks an ability beside a field of the request")
            // The vendor did not refuse this call, so that it does not begin the hour again.
            var known = lack?.value
            known?.isLasting = false
            return known.map { lacking($0, error) } ?? error
        }
    }

    /// Returns the error with the lack and the recovery option `emulation`.
    private func lacking(_ finding: QuirkFinding, _ error: UpstreamError) -> UpstreamError {
        var error = error
        if mustSearch, finding.quirks.contains(.named(.noSearch)) {
            // No changed call to the candidate could serve the request, so that none will show that the lack holds.
            findings.keepUnproven([finding])
            error.recovery.insert(.nextCandidate)
            return error
        }
        error.lack = finding
        error.recovery.insert(.emulation)
        return error
    }

    /// Remembers what the call has learned, after it has succeeded.
    func keepQuirks() {
        if findings.isEmpty, callQuirks.learned.isEmpty, callQuirks.tried.isEmpty { return }
        findings.keep(with: callQuirks)
    }
}
