import Engine
import Shared

/// The bill of the upstream calls that together make one response with several choices. It counts each prompt once.
final class ChoicesBill: OnLoop, @unchecked Sendable {
    /// The estimated number of tokens of each prompt.
    private let estimates: [Int]
    private let choices: Int
    private let count: CallCount
    /// The usage of the upstream calls for each prompt; nil if none has returned a response or reported usage.
    private var ofPrompts: [Usage?]

    init(_ estimates: [Int], _ choices: Int, count: CallCount) {
        self.estimates = estimates
        self.choices = choices
        self.count = count
        ofPrompts = Array(repeating: nil, count: estimates.count)
    }

    /// The usage of all upstream calls so far, added up; nil if no call has returned a response or reported usage.
    var usage: Usage? {
        let used = ofPrompts.compactMap(\.self)
        return used.first.map { used.dropFirst().reduce($0, +) }
    }

    private var estimate: Int { estimates.reduce(0, +) }

    private func prompt(ofChoice choice: Int) -> Int { choice * estimates.count / choices }

    /// Returns the number of tokens in one choice's prompt: its estimated share of the tokens of all prompts.
    private func part(ofChoice choice: Int, in all: Int) -> Int {
        guard estimates.count > 1 else { return all }
        let prompt = prompt(ofChoice: choice)
        let before = estimates[..<prompt].reduce(0, +)
        let whole = max(1, estimate)
        return (before + estimates[prompt]) * all / whole - before * all / whole
    }

    /// Adds the usage of an upstream call.
    func add(_ usage: Usage, ofChoice choice: Int) {
        let prompt = prompt(ofChoice: choice)
        if ofPrompts[prompt]?.join(usage) == nil { ofPrompts[prompt] = usage }
    }

    /// Bills a call that returned a response.
    /// - Parameter reported: the usage from the vendor; missing counts are replaced with the relay's own.
    func end(_ choice: Int, _ reported: Usage?, completionTokens: Int, credits: Int?, of call: Attempt) {
        let used = count.completed(
            reported,
            prompt: { part(ofChoice: choice, in: count.promptTokens(or: estimate)) },
            completion: { completionTokens }
        )
        add(used, ofChoice: choice)
        var outcome = Bill.Outcome(.responded, used, credits: credits)
        outcome.promptTokens = usage?.promptTokens
        call.end(outcome)
    }

    /// Bills a call that failed, unless it has ended before.
    func end(_ choice: Int, with error: UpstreamError, completionTokens: Int = 0, of call: Attempt) {
        let all = count.knownPromptTokens(or: estimate)
        var used = Usage.completed(error.usage, prompt: { part(ofChoice: choice, in: all) }, completion: { 0 })
        used.cover(delivered: completionTokens)
        if error.usage != nil { add(used, ofChoice: choice) }
        call.end(with: error, after: used, ofPrompts: all)
    }

    /// Returns the error with its usage replaced: with the sum of all upstream calls for the response.
    func failure(_ error: UpstreamError) -> UpstreamError {
        var error = error
        error.usage = usage
        return error
    }
}
