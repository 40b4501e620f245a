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
    private let text: BodyText
    private let worker: Worker
    /// Whether the worker still masks a text of this request.
    private var isMasking = false
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

    /// The longest text whose secrets are masked on the loop, in bytes.
    private static let loopBytes = 32_768

    /// Creates a recorder that passes the response on to `writer`.
    /// - Parameters:
    ///   - text: the converter of the bodies to texts. The recorder masks the caller's own key, too.
    ///   - worker: the worker that masks the secrets of long texts.
    init(_ request: Request, _ writer: any ResponseWriter, bodies: KeptBodies, text: BodyText, worker: Worker) {
        self.writer = writer
        self.request = request
        self.bodies = bodies
        self.worker = worker
        self.text = (try? request.bearer(limitBytes: SignedToken.limitBytes)).map { text.hiding($0.text) } ?? text
    }

    // MARK: The request

    func keep(request body: UnsafeRawBufferPointer) {
        guard !isMasking, bodies.request == nil, !body.isEmpty else { return }
        let excerpt = text.excerpt(of: body)
        guard excerpt.count > Self.loopBytes else { return bodies.keep(request: text.masked(excerpt)) }
        isMasking = worker.begin { [bodies, text] in bodies.keep(request: text.masked(excerpt)) }
    }

    /// Copies the JSON body of the request. It is called on a worker thread.
    func keep(largeRequest body: UnsafeRawBufferPointer) {
        if bodies.request == nil { bodies.keep(request: text.masked(text.excerpt(of: body))) }
    }

    /// Sets the function that returns the multipart form as JSON, which is called at the end of the request.
    func keep(form text: @escaping () -> ByteBuffer) { form = text }

    /// Returns a copy of the recorded bodies, which the response cache keeps with the cached response.
    ///
    /// The bodies are added to the copy when the request ends.
    func makeCopy(_ budget: BodyBudget) -> KeptBodies {
        let copy = KeptBodies(limitBytes: bodies.limitBytes, budget)
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
            kind = .events(EventText(text))
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

    /// Completes the recorded texts of the request body and the response body, and then calls `completion`, perhaps on
    /// the worker thread. It is called at the end of the request.
    func finish(_ completion: @escaping @Sendable () -> Void) {
        if bodies.request == nil, !isMasking { keepForm() }
        let (excerpt, ending): ([UInt8], StaticString) =
            switch kind {
            case .events(let events): (events.excerpt, events.ending)
            case .text: (text.excerpt(of: response.bytes), "")
            case .binary(let type): (Array(BodyText.placeholder(type: type, bytes: responseBytes).utf8), "")
            }
        response.release()
        let finish: @Sendable () -> Void = { [bodies, copy, text, hasResponse = responseBytes > 0] in
            if hasResponse { bodies.keep(response: text.masked(excerpt, ending: ending)) }
            if let copy {
                if let text = bodies.request { copy.keep(request: text) }
                if let text = bodies.response { copy.keep(response: text) }
            }
            completion()
        }
        copy = nil
        guard isMasking || excerpt.count > Self.loopBytes else { return finish() }
        if !worker.begin(finish) { completion() }
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
    var unsentBytes: Int { writer.unsentBytes }
    func drained(by deadline: LoopTime) async { await writer.drained(by: deadline) }
    func end() { writer.end() }
    func cut() { writer.cut() }
}

extension ResponseHead {
    /// The value of the header `Content-Type`; empty if the response has none.
    fileprivate var contentType: String {
        for line in fields.bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            let line = UnsafeRawBufferPointer(rebasing: line)
            if line.hasPrefix("Content-Type: ") { return line[part: 14..<line.count].trimmed.text }
        }
        return ""
    }
}
