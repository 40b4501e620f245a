import Calls
import Engine
import Glibc
import Shared

extension VendorError {
    /// A function that recognises errors of Anthropic that the HTTP status alone does not identify, such as an exceeded
    /// spending limit.
    static let anthropic: VendorErrorTable = { $0.ofAnthropic }

    var ofAnthropic: UpstreamError? {
        if status >= 400, isOfSpending {
            var error = new(.outOfCredit)
            error.retryAfterSeconds = error.retryAfterSeconds ?? secondsToAccess
            return error
        }
        switch status {
        case 400, 413, 422:
            if isPromptTooLong { return tooLong }
            if words.say("content filtering policy") { return refused("content_filter", param: nil) }
        case 404 where names("not_found_error"): return new(.unknownModel)
        // Status 529: the vendor is overloaded, for all keys.
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

    /// The seconds until the time in the error message at which the account regains access, at most 86,400; nil if the
    /// message contains no future time.
    private var secondsToAccess: Int? {
        let text = ByteBuffer(said)
        var scan = ByteScan(text.bytes)
        guard scan.find("regain access on ") else { return nil }
        let reported = text.bytes[part: scan.position..<text.bytes.count]
        func number(_ position: Int, _ digits: Int) -> Int32? {
            guard position + digits <= reported.count else { return nil }
            return Int32(reported[part: position..<(position + digits)].text)
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2) else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1_900, month - 1, day)
        (parts.tm_hour, parts.tm_min) = (number(14, 2) ?? 0, number(17, 2) ?? 0)
        let seconds = timegm(&parts) - time(nil)
        return seconds > 0 ? min(seconds, 86_400) : nil
    }

    private static let spending = "_spend_limit_reached"
}
