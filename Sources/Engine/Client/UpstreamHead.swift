import CCurl
import Glibc

/// A field of a vendor's response. The name is in lower case.
package typealias VendorField = (name: String, value: String)

/// The status and the relevant header fields of a vendor's response.
package struct UpstreamHead: Sendable {
    package let status: Int
    /// The status as the vendor sent it, if HTTP does not have it; nil otherwise.
    private var unknownStatus: Int?
    /// The status as the vendor sent it; `status` is 502 if HTTP does not have it.
    package var sentStatus: Int { unknownStatus ?? status }
    package let isEventStream: Bool
    /// Whether the `Content-Type` is `application/json`.
    package let isJSON: Bool
    /// Whether the body is compressed, although the relay never asks for that (`Content-Encoding`).
    package let isCoded: Bool
    /// The wait in seconds before a retry, at most a day; nil if the vendor gives no time in the future.
    package private(set) var retryAfterSeconds: Int?
    /// The fields `X-RateLimit-Reset-*` and `X-RateLimit-Remaining-*` of a response that needs them to know the wait.
    private var limits: [String: String] = [:]
    /// Whether the vendor recommends a retry in `X-Should-Retry`; nil if the field is absent or invalid.
    package let shouldRetry: Bool?
    /// The fields that the call asked to keep, with their names in lower case.
    package var fields: [VendorField] = []
    /// The absolute URL of a redirect (status 3xx); nil for other responses, or if the vendor gives no valid URL.
    package let redirectURL: String?

    package init(
        status: Int,
        isEventStream: Bool,
        isJSON: Bool = false,
        isCoded: Bool = false,
        retryAfterSeconds: Int?,
        shouldRetry: Bool? = nil,
        redirectURL: String? = nil
    ) {
        self.shouldRetry = shouldRetry
        self.redirectURL = redirectURL
        self.status = status
        self.isEventStream = isEventStream
        self.isJSON = isJSON
        self.isCoded = isCoded
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Whether the fields of rate limits can say how long to wait, because nothing else does.
    var lacksWait: Bool { status == 429 && (retryAfterSeconds == nil || !limits.isEmpty) }

    typealias Retry = (
        seconds: UnsafeRawBufferPointer, milliseconds: UnsafeRawBufferPointer, should: UnsafeRawBufferPointer
    )

    /// Creates a head from the raw values of header fields. A value is empty if the field is absent.
    /// - Parameter retry: the values of `Retry-After`, `Retry-After-Ms` and `X-Should-Retry`.
    init(
        status: Int,
        type: UnsafeRawBufferPointer,
        coding: UnsafeRawBufferPointer,
        retry: @autoclosure () -> Retry,
        redirectURL: @autoclosure () -> String?
    ) {
        // A status that HTTP does not have says nothing but that the vendor failed.
        let unknownStatus = (200...599).contains(status) ? nil : status
        let status = unknownStatus == nil ? status : 502
        let retry = status == 200 ? nil : retry()
        self.init(
            status: status,
            isEventStream: type.beginsLowered("text/event-stream"),
            isJSON: type.beginsLowered("application/json"),
            isCoded: !coding.isEmpty && status != 204 && !ParsedResponseHead.isPlain(coding),
            retryAfterSeconds: retry.flatMap(Self.seconds),
            shouldRetry: retry.flatMap { Self.boolean($0.should) },
            redirectURL: status / 100 == 3 ? redirectURL() : nil
        )
        self.unknownStatus = unknownStatus
    }

    /// Keeps a field of the response if its name begins with one of `names`, or if it has the wait that the head
    /// lacks, and its value is short printable ASCII.
    mutating func keep(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, of names: [StaticString]) {
        let isWait = lacksWait && limits.count < 64 && name.beginsLowered("x-ratelimit-re")
        let isKept = fields.count < 64 && names.contains(where: name.beginsLowered)
        guard isWait || isKept, name.count <= 64, value.count <= 256, value.allSatisfy({ (32..<127).contains($0) })
        else { return }
        if isWait {
            limits[name.text.lowercased()] = value.text
            retryAfterSeconds = secondsToReset
        }
        if isKept { fields.append((name.text.lowercased(), value.text)) }
    }

    private static func boolean(_ text: UnsafeRawBufferPointer) -> Bool? {
        text.equalsLowered("true") ? true : text.equalsLowered("false") ? false : nil
    }

    /// Returns the wait in seconds before a retry, at most a day; nil if the vendor gives no time in the future.
    private static func seconds(_ wait: Retry) -> Int? {
        let day = 86_400
        if !wait.milliseconds.isEmpty, wait.milliseconds.count <= 20, let number = Double(wait.milliseconds.text),
            (1...1e9).contains(number)
        {
            return min(day, Int((number / 1_000).rounded(.up)))
        }
        guard !wait.seconds.isEmpty, wait.seconds.count <= 40 else { return nil }
        let text = wait.seconds.text
        // A number is never read as a date.
        let number = Double(text).map { (0...1e9).contains($0) ? Int($0.rounded(.up)) : 0 }
        let seconds = number ?? curl_getdate(text, nil) - time(nil)
        return seconds > 0 ? min(day, seconds) : nil
    }

    /// The time until the limit ends of which nothing remains, or until the first limit ends.
    private var secondsToReset: Int? {
        let resets = limits.compactMap { name, value -> (isReached: Bool, seconds: Int)? in
            guard name.hasPrefix("x-ratelimit-reset"), let seconds = Self.seconds(toReset: value) else { return nil }
            let left = limits["x-ratelimit-remaining\(name.dropFirst("x-ratelimit-reset".count))"]
            return (left.flatMap(Double.init) == 0, seconds)
        }
        return resets.filter(\.isReached).map(\.seconds).max() ?? resets.map(\.seconds).min()
    }

    /// Returns the seconds until a time that is written as a wait, as a date, or in seconds or milliseconds since 1970.
    private static func seconds(toReset text: String) -> Int? {
        let number = Double(text).map { $0 > 1e11 ? $0 / 1_000 : $0 }
        guard text.contains(":") || number ?? 0 > 1e9 else { return seconds(ofWait: text) }
        let date = "\(text.prefix(10).filter(\.isNumber)) \(text.dropFirst(11).prefix(8)) GMT"
        let left = (number.map { Int(min($0, 1e11)) } ?? curl_getdate(date, nil)) - time(nil)
        return left > 0 ? min(86_400, left) : nil
    }

    /// Returns the seconds of a wait that a text begins with, rounded up and at most a day: `6.57s`, `1m2.5s`, `45
    /// seconds`, `500 ms`. A number alone counts as seconds. Nil if there is none.
    package static func seconds(ofWait text: String) -> Int? {
        var (sum, isRead) = (0.0, false)
        var rest = Substring(text)
        while case let digits = rest.prefix(while: { $0.isNumber || $0 == "." }), let number = Double(digits) {
            rest = rest[digits.endIndex...].drop { $0 == " " }
            let unit = rest.prefix(while: \.isLetter)
            let factor: Double? =
                switch unit {
                case "" where rest.isEmpty: 1
                case "s", "sec", "secs", "second", "seconds": 1
                case "ms", "milliseconds": 0.001
                case "m", "min", "mins", "minute", "minutes": 60
                case "h", "hour", "hours": 3_600
                case "d", "day", "days": 86_400
                default: nil
                }
            guard let factor else { break }
            (sum, isRead) = (sum + number * factor, true)
            rest = rest[unit.endIndex...]
        }
        return isRead && (0.001...1e9).contains(sum) ? min(86_400, Int(sum.rounded(.up))) : nil
    }

    /// Returns the value of a `Content-Type` field; empty if it is too long or not printable ASCII.
    static func mediaType(_ type: UnsafeRawBufferPointer) -> String {
        type.count <= 200 && type.allSatisfy { $0 >= 32 && $0 < 127 } ? type.text : ""
    }
}
