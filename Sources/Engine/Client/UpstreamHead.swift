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
    /// The target of an answer of status 3xx, absolute; it is not followed.
    package let redirectURL: String?

    package init(
        status: Int,
        isEventStream: Bool,
        isJSON: Bool = false,
        retryAfterSeconds: Int?,
        redirectURL: String? = nil
    ) {
        self.redirectURL = redirectURL
        self.status = status
        self.isEventStream = isEventStream
        self.isJSON = isJSON
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Of fields as they were sent, empty where they are absent.
    ///
    /// - Parameter wait: nil: it is not asked for.
    init(
        status: Int,
        type: UnsafeRawBufferPointer,
        wait: @autoclosure () -> (seconds: UnsafeRawBufferPointer, milliseconds: UnsafeRawBufferPointer),
        redirectURL: @autoclosure () -> String?
    ) {
        self.init(
            status: status,
            isEventStream: type.beginsLowered("text/event-stream"),
            isJSON: type.beginsLowered("application/json"),
            retryAfterSeconds: status == 200 ? nil : Self.seconds(wait()),
            redirectURL: status / 100 == 3 ? redirectURL() : nil
        )
    }

    /// Of `Retry-After` in its two forms, and of `Retry-After-Ms`, which goes before it; nil: there is no time.
    private static func seconds(
        _ wait: (seconds: UnsafeRawBufferPointer, milliseconds: UnsafeRawBufferPointer)
    ) -> Int? {
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
