import Engine
import Shared

/// A response writer that copies the bodies of the request and the response for the request's record.
///
/// `@unchecked`: used on the event loop of its request only, except for `bodies`.
final class BodyRecorder: ResponseWriter, @unchecked Sendable {
    /// The kind of a response body, which determines how it is copied.
    private enum Kind {
        case events(EventText)
        case text
        case binary(type: String)
    }

    private let writer: any ResponseWriter
    let bodies: KeptBodies
    private let maker: BodyText
    private var kind = Kind.text
    private var response = ByteBuffer()
    private var responseBytes = 0
    /// A function that returns the multipart form as JSON; nil if there is no form to record.
    private var form: (() -> ByteBuffer)?
    private let request: Request
    private var copy: KeptBodies?

    /// The number of bytes of a text or JSON response that are collected, even if the limit for recorded bodies is
    /// lower.
    private static let gatheredBytes = 65_536

    /// Creates a recorder that passes the response on to `writer`.
    ///
    /// - Parameter secrets: values to mask in the bodies, besides the caller's own key.
    init(_ request: Request, _ writer: any ResponseWriter, bodies: KeptBodies, hiding secrets: [String]) {
        self.writer = writer
        self.request = request
        self.bodies = bodies
        let own = (try? request.bearer())?.text
        maker = BodyText(limitBytes: bodies.limitBytes, hiding: secrets + (own.map { [$0] } ?? []))
    }

    // MARK: The request

    /// Copies the JSON body of the request. It can be called on any thread.
    func keep(request body: UnsafeRawBufferPointer) {
        if bodies.request == nil, !body.isEmpty { bodies.keep(request: maker.text(of: body)) }
    }

    /// Sets the function that returns the multipart form for the request's record.
    ///
    /// - Parameter text: returns the form as JSON; called at the end of the request.
    func keep(form text: @escaping () -> ByteBuffer) { form = text }

    /// Returns a copy of the recorded bodies, which the response cache keeps with the cached response.
    ///
    /// The response body is added to the copy when the request ends.
    func makeCopy(_ budget: BodyBudget) -> KeptBodies {
        let copy = KeptBodies(limitBytes: bodies.limitBytes, budget)
        if let text = bodies.request { copy.keep(request: text) }
        self.copy = copy
        return copy
    }

    // MARK: The response

    func send(_ head: borrowing ResponseHead, body: borrowing ByteBuffer) {
        begin(with: head)
        gather(body.bytes)
        writer.send(head, body: body)
    }

    func begin(_ head: borrowing ResponseHead) {
        begin(with: head)
        writer.begin(head)
    }

    func write(_ bytes: borrowing ByteBuffer) {
        gather(bytes.bytes)
        writer.write(bytes)
    }

    func write(batch: inout ByteBuffer) {
        gather(batch.bytes)
        writer.write(batch: &batch)
    }

    private func begin(with head: borrowing ResponseHead) {
        let type = head.contentType
        if type.hasPrefix("text/event-stream") {
            kind = .events(EventText(limitBytes: bodies.limitBytes))
        } else if !type.isEmpty, !type.hasPrefix("text/"), !type.hasPrefix("application/json") {
            kind = .binary(type: type)
        }
    }

    private func gather(_ bytes: UnsafeRawBufferPointer) {
        responseBytes += bytes.count
        switch kind {
        case .events(var text):
            // Taken out of the case, so that its array is not copied.
            kind = .text
            text.add(bytes)
            kind = .events(text)
        case .text:
            let room = max(Self.gatheredBytes, 2 * bodies.limitBytes) - response.count
            if room > 0 { response.append(bytes[part: 0..<min(room, bytes.count)]) }
        case .binary: break
        }
    }

    /// Completes the recorded texts of the request body and the response body. It is called at the end of the request.
    func finish() {
        if bodies.request == nil { keepForm() }
        guard responseBytes > 0 else { return }
        let text =
            switch kind {
            case .events(let events): events.text(maker)
            case .text: maker.text(of: response.bytes)
            case .binary(let type): BodyText.placeholder(type: type, bytes: responseBytes)
            }
        bodies.keep(response: text)
        copy?.keep(response: text)
        copy = nil
        response.release()
    }

    private func keepForm() {
        if let text = form?() { return keep(request: text.bytes) }
        guard let type = request[.contentType], !request.isJSON, request.body.declaredBytes != 0 else { return }
        let name = UnsafeRawBufferPointer(rebasing: type.prefix { $0 != UInt8(ascii: ";") }).trimmed
        let shortName = name.text.beginning(ofBytes: 100)
        bodies.keep(request: BodyText.placeholder(type: shortName, bytes: request.body.declaredBytes ?? 0))
    }

    // MARK: The connection

    var sentBytes: Int { writer.sentBytes }
    var isFull: Bool { writer.isFull }
    var stalledSeconds: Int? { writer.stalledSeconds }
    func drained() async { await writer.drained() }
    func end() { writer.end() }
    func cut() { writer.cut() }
}

extension ResponseHead {
    /// The value of the header `Content-Type`; empty if the response has none.
    fileprivate var contentType: String {
        for line in fields.bytes.split(separator: 10) {
            let line = UnsafeRawBufferPointer(rebasing: line)
            if line.hasPrefix("Content-Type: ") { return line[part: 14..<line.count].trimmed.text }
        }
        return ""
    }
}
