import CCurl
import Glibc

/// The used parts of an answer's head.
package struct UpstreamHead: Sendable {
    package let status: Int
    package let isEventStream: Bool
    /// By `Content-Type`.
    package let isJSON: Bool
    /// From `Retry-After`, whichever form it had; nil if absent or 0.
    package let retryAfterSeconds: Int?
    /// From `X-Should-Retry`: the same call may succeed once more, or cannot; nil: it is not said.
    package let shouldRetry: Bool?
    /// The target of an answer of status 3xx, absolute; it is not followed.
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

    /// Of fields as they were sent, empty where they are absent.
    ///
    /// - Parameter retry: of `Retry-After`, `Retry-After-Ms` and `X-Should-Retry`.
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
            shouldRetry: retry.flatMap { Self.claim($0.should) },
            redirectURL: status / 100 == 3 ? redirectURL() : nil
        )
    }

    private static func claim(_ text: UnsafeRawBufferPointer) -> Bool? {
        text.equalsLowered("true") ? true : text.equalsLowered("false") ? false : nil
    }

    /// Of `Retry-After` in its two forms, and of `Retry-After-Ms`, which goes before it; nil: there is no time.
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

    /// A `Content-Type` that may be told on; empty: it is long, or not plain.
    static func mediaType(_ type: UnsafeRawBufferPointer) -> String {
        type.count <= 200 && type.allSatisfy { $0 >= 32 && $0 < 127 } ? type.text : ""
    }
}
