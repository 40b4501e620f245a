import Calls
import Engine
import Shared

extension Fault {
    /// Cases that the status alone does not tell, as Anthropic tells them.
    static let anthropic: FaultTable = { $0.ofAnthropic }

    private var ofAnthropic: UpstreamError? {
        if status >= 400, isOfSpending { return new(.outOfCredit) }
        switch status {
        case 400, 413, 422:
            if isPromptTooLong { return refused("context_length_exceeded", param: "messages") }
            if words.say("content filtering policy") { return refused("content_filter", param: nil) }
        case 404 where names("not_found_error"): return new(.unknownModel)
        // The vendor has too much to do, whoever asks.
        case 529: return restless
        default: break
        }
        return nil
    }

    private var restless: UpstreamError {
        var error = new(.unavailable)
        error.retryAfterSeconds = nil
        return error
    }

    private var isOfSpending: Bool {
        if words.say("credit balance is too low") || names("billing_error") { return true }
        if words.say("you have reached your specified"), words.say("usage limits") { return true }
        return status == 429 && retryAfterSeconds == nil
            && code.utf8.suffix(Self.spending.utf8.count).elementsEqual(Self.spending.utf8)
    }

    private static let spending = "_spend_limit_reached"

    private var isPromptTooLong: Bool {
        words.sayOne(of: ["prompt is too long", "exceed context limit", "exceeds context limit"])
    }
}
