import CCurl
import Glibc

/// The relevant parts of a response's head.
package struct UpstreamHead: Sendable {
    package let status: Int
    package let isEventStream: Bool
    /// Whether the `Content-Type` is JSON.
    package let isJSON: Bool
    /// The seconds from `Retry-After` in any of its forms; nil if absent or 0.
    package let retryAfterSeconds: Int?
    /// The value of `X-Should-Retry`: whether the same call may succeed if it is retried; nil if absent.
    package let shouldRetry: Bool?
    /// The absolute target of a redirect (status 3xx), which is not followed; nil for other responses.
    package let redirectURL: String?

    package init(
        status: Int,
        isEventStream: Bool,
        isJSON: Bool = false,
        retryAfterSeconds: Int?,
        shouldRetry: Bool? = nil,
        redirectURL: String? = nil
    ) {
        self.shouldRetry = shouldRetry
        self.redirectURL = redirectURL
        self.status = status
        self.isEventStream = isEventStream
        self.isJSON = isJSON
        self.retryAfterSeconds = retryAfterSeconds
    }

    typealias Retry = (
        seconds: UnsafeRawBufferPointer, milliseconds: UnsafeRawBufferPointer, should: UnsafeRawBufferPointer
    )

    /// Creates a head from header fields as they were sent, which are empty if absent.
    ///
    /// - Parameter retry: the values of `Retry-After`, `Retry-After-Ms` and `X-Should-Retry`.
    init(
        status: Int,
        type: UnsafeRawBufferPointer,
        retry: @autoclosure () -> Retry,
        redirectURL: @autoclosure () -> String?
    ) {
        let retry = status == 200 ? nil : retry()
        self.init(
            status: status,
            isEventStream: type.beginsLowered("text/event-stream"),
            isJSON: type.beginsLowered("application/json"),
            retryAfterSeconds: retry.flatMap(Self.seconds),
            shouldRetry: retry.flatMap { Self.charge($0.should) },
            redirectURL: status / 100 == 3 ? redirectURL() : nil
        )
    }

    private static func charge(_ text: UnsafeRawBufferPointer) -> Bool? {
        text.equalsLowered("true") ? true : text.equalsLowered("false") ? false : nil
    }

    /// Returns the seconds from `Retry-After-Ms` or, without it, from `Retry-After` in its two forms; nil if there is
    /// no time.
    private static func seconds(_ wait: Retry) -> Int? {
        if !wait.milliseconds.isEmpty, wait.milliseconds.count <= 20, let number = Double(wait.milliseconds.text),
            (1...1e9).contains(number)
        {
            return Int((number / 1_000).rounded(.up))
        }
        guard !wait.seconds.isEmpty, wait.seconds.count <= 40 else { return nil }
        let text = wait.seconds.text
        let number = Double(text).flatMap { (0...1e9).contains($0) ? Int($0.rounded(.up)) : nil }
        let seconds = number ?? curl_getdate(text, nil) - time(nil)
        return seconds > 0 ? seconds : nil
    }

    /// Returns a `Content-Type` that may be forwarded; empty if it is long or contains other than printable ASCII
    /// characters.
    static func mediaType(_ type: UnsafeRawBufferPointer) -> String {
        type.count <= 200 && type.allSatisfy { $0 >= 32 && $0 < 127 } ? type.text : ""
    }
}
