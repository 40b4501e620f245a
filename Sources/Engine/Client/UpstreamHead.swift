import CCurl
import Glibc

/// A field of a vendor's response. The name is in lower case.
package typealias VendorField = (name: String, value: String)

/// The status and the relevant header fields of a vendor's response.
package struct UpstreamHead: Sendable {
    package let status: Int
    package let isEventStream: Bool
    /// Whether the `Content-Type` is `application/json`.
    package let isJSON: Bool
    /// Whether the body is compressed, although the relay never asks for that (`Content-Encoding`).
    package let isCoded: Bool
    /// The wait in seconds before a retry, at most a day; nil if the vendor gives no time in the future.
    package let retryAfterSeconds: Int?
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

    typealias Retry = (
        seconds: UnsafeRawBufferPointer, milliseconds: UnsafeRawBufferPointer, should: UnsafeRawBufferPointer
    )

    /// Creates a head from the raw values of header fields. A value is empty if the field is absent.
    ///
    /// - Parameter retry: the values of `Retry-After`, `Retry-After-Ms` and `X-Should-Retry`.
    init(
        status: Int,
        type: UnsafeRawBufferPointer,
        coding: UnsafeRawBufferPointer,
        retry: @autoclosure () -> Retry,
        redirectURL: @autoclosure () -> String?
    ) {
        // A status that HTTP does not have says nothing but that the vendor failed.
        let status = (200...599).contains(status) ? status : 502
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
    }

    /// Keeps a field of the response if its name begins with one of `names`, and its value is short printable ASCII.
    mutating func keep(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, of names: [StaticString]) {
        guard names.contains(where: name.beginsLowered), fields.count < 64, name.count <= 64, value.count <= 256,
            value.allSatisfy({ (32..<127).contains($0) })
        else { return }
        fields.append((name.text.lowercased(), value.text))
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

    /// Returns the value of a `Content-Type` field; empty if it is too long or not printable ASCII.
    static func mediaType(_ type: UnsafeRawBufferPointer) -> String {
        type.count <= 200 && type.allSatisfy { $0 >= 32 && $0 < 127 } ? type.text : ""
    }
}
