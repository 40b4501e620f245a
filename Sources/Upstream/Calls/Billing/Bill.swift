import Limits
package import Shared

/// The upstream calls of one request in the order of their ends, from which its cost follows.
///
/// A value without clock, lock or loop. Every figure is a function of the list. It cannot be copied, because its `Billing`
/// would copy it for each figure.
package struct Bill: ~Copyable, Sendable {
    /// The kind of a call's end, which decides what is billed.
    package enum End: Sendable {
        case responded
        /// The vendor made images, speech or a transcript, and used no tokens.
        case made
        /// The vendor refused the call. It is free.
        case refused
        /// The response failed or broke off. It is billed as far as it was delivered or reported.
        case broke
        /// The call was cancelled before any output. It is billed, unless a call of the same round was refused.
        case abandoned
        /// The call produced nothing useful, and the relay repeated it. It is billed beside the response.
        case repeated
        /// The response lacked the requested form, and the relay had the model correct it. It is billed beside the
        /// corrected response, and the client's usage contains it.
        case corrected
        /// A model worked on the response within the vendor's call. It is billed beside the response, and the client's
        /// usage contains it.
        case inner
        /// Another model did work for the request. Only its credits are billed.
        case helped
        /// Nothing is billed for the call, for example because it concerned a file.
        case free
    }

    /// Whether the client got the response of a call.
    package enum Fate: Sendable {
        case kept
        /// The response lacked the requested format, and was requested again.
        case rejected
        /// Another candidate's response took its place.
        case lost
    }

    private struct Entry {
        let call: CallRecord
        /// The number of the response to which the call belongs. The calls of one response share their prompt.
        let response: Int
        /// The number of the round in which the call ended. Calls of one round end each other.
        let round: Int
        var fate: Fate

        var hasOutput: Bool {
            (call.outcome.end.usesTokens || call.outcome.end == .corrected || call.outcome.end == .inner)
                && call.usage.completionTokens > 0
        }

        /// Whether the client's usage contains the call, although another call made its response.
        var isRejected: Bool {
            switch call.outcome.end {
            case .repeated: false
            case .corrected: fate != .lost
            default: fate == .rejected
            }
        }

        /// Sets the fate if the call belongs to this response. Responses that were rejected before are lost with it.
        mutating func end(_ fate: Fate, of response: Int) {
            if self.response == response || fate == .lost && self.fate == .rejected { self.fate = fate }
        }
    }

    // The only call of most requests needs no array.
    private var first: Entry?
    private var others: [Entry] = []
    private var response = 0
    private var round = 0

    // MARK: Events

    package mutating func record(_ call: CallRecord) {
        let entry = Entry(call: call, response: response, round: round, fate: .kept)
        if first == nil { first = entry } else { others.append(entry) }
    }

    /// Records that further calls do not depend on refusals so far.
    mutating func beginRound() { round += 1 }

    /// Records that the client does not get the present response. Further calls belong to another one.
    ///
    /// If nothing of the response was delivered, another candidate's calls share its prompt.
    package mutating func end(_ fate: Fate) {
        let isUsed = entries.contains { $0.fate == .rejected || $0.response == response && $0.hasOutput }
        guard fate == .rejected || isUsed else { return }
        first?.end(fate, of: response)
        for index in others.indices { others[index].end(fate, of: response) }
        response += 1
    }

    // MARK: Figures

    private var entries: [Entry] { (first.map { [$0] } ?? []) + others }

    private func forEachBilled(_ body: (Entry) -> Void) {
        guard let first else { return }
        if others.isEmpty { return body(first) }
        let forgiven = forgivenRounds
        for entry in entries where entry.call.outcome.end != .abandoned || !forgiven.contains(entry.round) {
            body(entry)
        }
    }

    /// The rounds in which a vendor refused a call. Their abandoned calls are free.
    private var forgivenRounds: Set<Int> {
        guard entries.contains(where: { $0.call.outcome.end == .abandoned }) else { return [] }
        return Set(entries.lazy.filter { $0.call.outcome.end == .refused }.map(\.round))
    }

    /// Whether a response may have been rejected.
    var mayHaveRejected: Bool { !others.isEmpty || first?.isRejected == true }

    /// The usage of the responses that were rejected, which the client's usage contains.
    package var rejected: Usage { usage(where: \.isRejected) }

    /// The usage of all calls. A request that failed has no other one.
    package var usage: Usage { usage { _ in true } }

    /// Returns the usage of some calls. Those of one response share their prompt.
    private func usage(where isIncluded: (Entry) -> Bool) -> Usage {
        var (sum, current, number) = (Usage.nothing, Usage.nothing, -1)
        forEachBilled { entry in
            guard isIncluded(entry) else { return }
            if entry.call.outcome.end.hasOwnPrompt { sum = sum + entry.call.usage }
            guard entry.call.outcome.end.usesTokens else { return }
            let usage = entry.call.usage
            if entry.response != number {
                sum = sum + current
                (current, number) = (usage, entry.response)
            } else if usage.completionTokens > 0 || usage.hasLongerPrompt(than: current) {
                current.join(usage)
            }
        }
        return sum + current
    }

    /// The cost of the calls; nil if one used tokens or made media without a known price, or no call has a price.
    package var cost: Cost? {
        let (known, isPartial) = costs
        return isPartial ? nil : known
    }

    /// The sum of the known costs, nil if there are none, and whether the cost of some tokens or media is not known.
    var costs: (known: Cost?, isPartial: Bool) {
        var (sum, isPartial, isFree) = (Cost?.none, false, first != nil)
        forEachBilled { entry in
            let call = entry.call
            isFree = isFree && call.isFree
            switch call.outcome.end {
            case .responded, .made, .broke, .abandoned, .repeated, .corrected, .inner, .refused: break
            case .helped: if call.outcome.pricedCredits == nil { return }
            case .free: return
            }
            if let cost = call.cost {
                sum = sum.map { $0 + cost } ?? cost
            } else if call.outcome.end == .made || call.outcome.end != .abandoned && call.usage.totalTokens > 0 {
                isPartial = true
            }
        }
        return (sum ?? (isFree ? .nothing : nil), isPartial)
    }

    /// Returns the amounts that settle the request's reservation.
    /// - Parameter reserved: what was reserved. Only reserved images count. If the cost of a call that has a price is not
    ///   known, at least the reserved dollars count.
    func used(of reserved: Amounts) -> Amounts {
        var (tokens, images, credits, leastUSD) = (0, 0, 0, 0)
        var (prompt, number, abandonedRound) = (0, 0, -1)
        forEachBilled { entry in
            let call = entry.call
            if entry.response != number {
                tokens += prompt
                (prompt, number) = (0, entry.response)
            }
            credits += call.outcome.billedCredits
            if call.lacksCost { leastUSD = reserved.usd }
            if call.outcome.end.hasOwnPrompt { tokens += call.usage.totalTokens }
            guard call.outcome.end.usesTokens || call.outcome.end == .made else { return }
            prompt = max(prompt, call.outcome.promptTokens ?? 0, call.usage.promptTokens)
            tokens += call.usage.completionTokens
            // Calls that were abandoned together may all be for the same images.
            if call.outcome.end != .abandoned || entry.round != abandonedRound { images += call.outcome.images }
            if call.outcome.end == .abandoned { abandonedRound = entry.round }
        }
        return Amounts(
            tokens: tokens + prompt,
            images: min(images, reserved.images),
            usd: max(costs.known?.nanodollars ?? 0, leastUSD),
            credits: credits
        )
    }

    // MARK: Calls

    /// The only call that reached a vendor; nil if there was none or several.
    package var only: CallRecord? { others.isEmpty && first?.call.outcome.isShown == true ? first?.call : nil }

    /// The calls that reached a vendor, in the order of their ends.
    package var calls: [CallRecord] {
        let forgiven = others.isEmpty ? [] : forgivenRounds
        return entries.lazy.filter(\.call.outcome.isShown).map { entry in
            entry.call.outcome.end == .abandoned && forgiven.contains(entry.round) ? entry.call.unbilled : entry.call
        }
    }

    /// The providers and models of the calls with an impossible number of tokens, one entry per call.
    package var impossibleUsage: [Billing.Server] {
        if others.isEmpty, first?.call.outcome.isImpossible != true { return [] }
        return entries.filter(\.call.outcome.isImpossible).map(\.call.server)
    }
}

extension Bill.End {
    /// Whether the tokens of the call count in the usage of its response.
    fileprivate var usesTokens: Bool { self == .responded || self == .broke || self == .abandoned }

    /// Whether the call is billed beside its response, with its prompt.
    fileprivate var hasOwnPrompt: Bool { self == .repeated || self == .corrected || self == .inner }
}
