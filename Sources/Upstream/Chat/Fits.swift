import Shared

/// The fits of one chat call to its candidates. Each is made once, and serves a further candidate that is alike.
struct Fits {
    private struct Made {
        var index: Int
        let fit: ChatFit
        /// Whether the relay has checked that the call fits the model's context window.
        var isChecked = false
    }

    /// The fit that was made first; nil before, and after `forget`.
    private var leading: Made?
    private var others: [Made] = []
    /// The errors of candidates that cannot serve the call, by the index of the candidate.
    private(set) var refusals: [Int: APIError] = [:]

    /// The first fit; nil if there is none, or if it must be prepared before its use.
    var ready: ChatFit? { leading.flatMap { $0.fit.isUnprepared ? nil : $0.fit } }

    mutating func add(_ fit: ChatFit, at index: Int) {
        let made = Made(index: index, fit: fit)
        if leading == nil { leading = made } else { others.append(made) }
    }

    mutating func add(_ refusal: APIError, at index: Int) { refusals[index] = refusal }

    /// Returns the fit for the candidate with this index; nil if a fit must be made.
    /// - Parameter asked: the call as the client requested it; nil if the only fit has it.
    mutating func known(_ index: Int, _ candidate: Candidate, _ asked: RequestedCall?) -> ChatFit? {
        if let made = leading {
            if made.index == index { return made.fit }
            // A fit that was checked, or that is not the only one, stays with its candidate.
            if others.isEmpty, !made.isChecked, let asked, asked.call.original == nil,
                made.fit.passes(asked.call, to: candidate)
            {
                leading?.index = index
                return made.fit
            }
        }
        return others.first { $0.index == index }?.fit
    }

    /// Removes a fit that cannot be used again.
    mutating func forget(_ fit: ChatFit) {
        if leading?.fit === fit { leading = nil }
        if !others.isEmpty { others.removeAll { $0.fit === fit } }
    }

    /// Returns whether the fit was not checked before, and marks it as checked.
    mutating func isFirstCheck(_ fit: ChatFit) -> Bool {
        if let made = leading, made.fit === fit {
            leading?.isChecked = true
            return !made.isChecked
        }
        guard let index = others.firstIndex(where: { $0.fit === fit && !$0.isChecked }) else { return false }
        others[index].isChecked = true
        return true
    }
}

/// An object that holds a chat call, so that the call can be read without a copy.
final class RequestedCall: Sendable {
    let call: ChatCall

    init(_ call: consuming ChatCall) { self.call = call }
}
