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
    /// Of a file that the vendor does not have: its place in the request.
    private var foreignFile: String?

    init(_ vendor: OpenAILike, _ call: ChatCall, _ model: Model, _ vendorCall: VendorCall) {
        self.vendor = vendor
        self.model = model
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
        if let original = call.original, let written = NativeRequest.written(original, for: call, model.id) {
            body = written
            return
        }
        for part in call.attachments {
            if case .file = part.source { foreignFile = foreignFile ?? part.param }
        }
        body = OpenAILikeRequest(call, model: model.id, isOpenAI: vendor.isOpenAI).written()
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
        do throws(UpstreamError) {
            guard reply.head.status / 100 == 2 else { throw fault.error(reply.head, reply.body.bytes) }
            return try reader.answer(reply.body)
        } catch {
            throw judged(error)
        }
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
        do throws(UpstreamError) {
            guard opened.head.status / 100 == 2 else { throw await refusal(opened) }
        } catch {
            throw judged(error)
        }
        let stream = OpenAILikeStream(opened, reader)
        do throws(UpstreamError) {
            try await stream.begin()
            return stream
        } catch {
            stream.stop()
            throw judged(error)
        }
    }

    /// Ends the stream.
    private func refusal(_ stream: any UpstreamStream) async -> UpstreamError {
        var isComplete = false
        defer { stream.stop(isComplete: isComplete) }
        do throws(TransportError) {
            let body = try await stream.collect(limitBytes: OpenAILikeStream.eventLimitBytes)
            isComplete = true
            return fault.error(stream.head, body.bytes)
        } catch {
            return error.kind == .cancelled ? UpstreamError(error) : fault.error(stream.head, ByteBuffer().bytes)
        }
    }

    private var reader: AnswerReader { AnswerReader(terms, vendor.parser, vendor.ids) }

    private var isCallersKey: Bool { vendorCall.credential.label == nil }

    private var fault: FaultReader {
        FaultReader(vendor.parser, tellsFields: terms.isNative, isCallersKey: isCallersKey)
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
