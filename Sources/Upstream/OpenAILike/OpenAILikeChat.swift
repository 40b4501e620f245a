import Calls
import Engine
import Shared

/// One call in OpenAI's form: as it came, if it came so, else written anew.
///
/// `@unchecked`: used on its loop only, but for `write`.
final class OpenAILikeChat: PreparedChat, @unchecked Sendable {
    private let vendor: OpenAILike
    private let model: Model
    private let vendorCall: VendorCall
    private let terms: AnswerTerms
    /// Until it is written.
    private var call: ChatCall?
    private var body: Body?
    private var countedTokens = 1
    /// Changes of the request that the server needs.
    private var mends: Mends
    /// Those that were learned for this call.
    private var learned = 0

    private static let mostMends = 3

    /// Of a file that the vendor does not have: its place in the request.
    private var foreignFile: String?

    init(_ vendor: OpenAILike, _ call: ChatCall, _ model: Model, _ vendorCall: VendorCall) {
        self.vendor = vendor
        self.model = model
        var call = call
        mends = vendor.mends.mends(of: vendor.name, model.id)
        // Others call for the other choices.
        if mends.contains(.noChoices) { call.choices = 1 }
        self.vendorCall = vendorCall
        terms = AnswerTerms(
            model: call.model,
            choices: call.choices,
            includesUsage: call.includesUsage,
            isNative: call.original != nil
        )
        self.call = call
    }

    func write() {
        guard let call else { return }
        self.call = nil
        countedTokens = call.promptTokens
        let written = written(call)
        body = MendedRequest.written(written, with: mends)
    }

    private func written(_ call: ChatCall) -> Body {
        if let original = call.original, let written = NativeRequest.written(original, for: call, model.id) {
            return written
        }
        for part in call.attachments {
            if case .file = part.source { foreignFile = foreignFile ?? part.param }
        }
        return OpenAILikeRequest(call, model: model.id, isOpenAI: vendor.isOpenAI).written()
    }

    /// Changes the request as its refusal asks for; false: that is not known to help.
    private func isMended(_ head: UpstreamHead, _ refusal: UnsafeRawBufferPointer) -> Bool {
        guard learned < Self.mostMends, let request = body,
            let mend = fault.mend(head, refusal, of: request, known: mends), mend.isDisjoint(with: .ofAbilities)
        else { return false }
        learned += 1
        mends.formUnion(mend)
        body = MendedRequest.written(request, with: mend)
        return true
    }

    /// If the server lacks an ability, that is remembered, and the call has to be prepared anew.
    private func refused(_ head: UpstreamHead, _ refusal: UnsafeRawBufferPointer) -> UpstreamError {
        var error = judged(fault.error(head, refusal))
        guard !isCallersKey, let request = body,
            let mend = fault.mend(head, refusal, of: request, known: mends), !mend.isDisjoint(with: .ofAbilities)
        else { return error }
        vendor.mends.learn(mend, of: vendor.name, model.id)
        error.remedy.insert(.emulation)
        return error
    }

    /// The changed request was taken, so the next ones are changed at once.
    private func keepMends() {
        guard learned > 0, !isCallersKey else { return }
        vendor.mends.learn(mends, of: vendor.name, model.id)
    }

    var promptTokens: Int {
        write()
        return countedTokens
    }

    private func upstream() throws(UpstreamError) -> UpstreamCall {
        write()
        if let foreignFile {
            let why = "the model's provider does not have this file"
            throw UpstreamError(refusing: .value(foreignFile, why, code: "unsupported_value"))
        }
        return UpstreamCall(endpoint: vendor.completions, headers: vendor.headers(for: vendorCall.key), body: body)
    }

    // MARK: Whole answers

    func answer() async throws(UpstreamError) -> ChatAnswer {
        do throws(UpstreamError) {
            return try await answerOnce()
        } catch {
            try await vendorCall.waitToRepeat(after: error)
            return try await answerOnce()
        }
    }

    private func answerOnce() async throws(UpstreamError) -> ChatAnswer {
        let call = try upstream()
        let reply: UpstreamReply
        do throws(TransportError) {
            reply = try await vendor.transport.send(call)
        } catch {
            throw UpstreamError(error)
        }
        guard reply.head.status / 100 == 2 else {
            if isMended(reply.head, reply.body.bytes) { return try await answerOnce() }
            throw refused(reply.head, reply.body.bytes)
        }
        do throws(UpstreamError) {
            let answer = try await read(reply.body)
            keepMends()
            return answer
        } catch {
            throw judged(error)
        }
    }

    /// A long one is read by a thread.
    private func read(_ body: Body) async throws(UpstreamError) -> ChatAnswer {
        guard body.bytes.count > Worker.loopBytes else { return try reader.answer(body) }
        let terms = terms
        let read = await vendor.worker.result(ofBytes: body.bytes.count, on: vendor.loop) {
            Result { () throws(UpstreamError) in
                try AnswerReader(terms, JSONParser(), RandomBytes()).answer(body)
            }
        }
        guard let read else { throw .tooMuchWork }
        return try read.get()
    }

    // MARK: Streams

    func stream() async throws(UpstreamError) -> any ChatAnswerStream {
        do throws(UpstreamError) {
            return try await streamOnce()
        } catch {
            try await vendorCall.waitToRepeat(after: error)
            return try await streamOnce()
        }
    }

    private func streamOnce() async throws(UpstreamError) -> any ChatAnswerStream {
        let call = try upstream()
        let opened: any UpstreamStream
        do throws(TransportError) {
            opened = try await vendor.transport.open(call)
        } catch {
            throw UpstreamError(error)
        }
        guard opened.head.status / 100 == 2 else {
            let refusal = try await self.refusal(opened)
            if isMended(opened.head, refusal.bytes) { return try await streamOnce() }
            throw refused(opened.head, refusal.bytes)
        }
        let stream = OpenAILikeStream(opened, reader)
        do throws(UpstreamError) {
            try await stream.begin()
            keepMends()
            return stream
        } catch {
            stream.stop()
            throw judged(error)
        }
    }

    /// As far as it can be read. Ends the stream.
    private func refusal(_ stream: any UpstreamStream) async throws(UpstreamError) -> Body {
        var isComplete = false
        defer { stream.stop(isComplete: isComplete) }
        do throws(TransportError) {
            let body = try await stream.collect(limitBytes: OpenAILikeStream.eventLimitBytes)
            isComplete = true
            return body
        } catch {
            if error.kind == .cancelled { throw UpstreamError(error) }
            return Body(ByteBuffer())
        }
    }

    private var reader: AnswerReader { AnswerReader(terms, vendor.parser, vendor.ids) }

    private var isCallersKey: Bool { vendorCall.credential.label == nil }

    private var fault: FaultReader {
        FaultReader(vendor.parser, tellsFields: terms.isNative)
    }

    /// Another key, or another vendor, is not what a caller with a key of their own asked for.
    private func judged(_ error: UpstreamError) -> UpstreamError {
        guard isCallersKey else { return error }
        var error = error
        switch error.kind {
        case .badKey, .outOfCredit, .forbidden, .rateLimited: error.remedy = []
        default: break
        }
        return error
    }
}

/// The part of a call that the reading of its answer depends on.
struct AnswerTerms: Sendable {
    /// As the caller named it.
    let model: String
    let choices: Int
    let includesUsage: Bool
    /// The answer goes on as it came.
    let isNative: Bool
}
