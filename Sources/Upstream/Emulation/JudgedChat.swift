import Calls
import Engine
import Shared

/// A chat whose document is judged by the schema that was asked for, for a vendor that knows a part of it only. What a
/// stream brings goes on at once; its end tells whether it fits.
final class JudgedChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let judge: DocumentJudge

    init(_ chat: any PreparedChat, _ judge: DocumentJudge) {
        self.chat = chat
        self.judge = judge
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }
    var isBilled: Bool { chat.isBilled }

    func answer() async throws(UpstreamError) -> ChatAnswer {
        let answer = try await chat.answer()
        for choice in answer.choices where choice.finish == .stop && choice.refusal == nil {
            try await judge.check(choice.text ?? Body(ByteBuffer()))
        }
        return answer
    }

    func stream() async throws(UpstreamError) -> any ChatAnswerStream {
        JudgedStream(try await chat.stream(), judge)
    }
}

struct DocumentJudge: Sendable {
    let format: FormatProtocol
    let worker: Worker
    let loop: EventLoop

    /// Throws if it does not fit.
    fileprivate func check(_ text: Body) async throws(UpstreamError) {
        let value = StructuredValue(text: text, format: format)
        let verdict = await worker.result(ofBytes: text.bytes.count, on: loop) { value.judged() }
        switch verdict {
        case .fits: return
        case .misfit(let why), .broken(let why): throw Self.failure(why)
        case nil: throw .tooMuchWork
        }
    }

    fileprivate static func failure(_ why: String) -> UpstreamError {
        var error = UpstreamError.brokenAnswer("the answer does not fit its schema: \(why)")
        // The vendor bills it.
        error.isCut = true
        return error
    }
}

/// `@unchecked`: used on its loop only.
private final class JudgedStream: ChatAnswerStream, @unchecked Sendable {
    private final class Choice {
        var text = ByteBuffer()
        var isJudged = true
    }

    private let stream: any ChatAnswerStream
    private let judge: DocumentJudge
    private var choices: [Int: Choice] = [:]
    /// They have ended, and their end is told once they are judged.
    private var unjudged: [Int] = []
    private var judged: [Int] = []

    init(_ stream: any ChatAnswerStream, _ judge: DocumentJudge) {
        self.stream = stream
        self.judge = judge
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        guard !unjudged.isEmpty else { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        for number in unjudged {
            var text = ByteBuffer()
            if let choice = choices.removeValue(forKey: number) { swap(&text, &choice.text) }
            try await judge.check(Body(text))
        }
        swap(&judged, &unjudged)
        return .bytes
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        guard judged.isEmpty else {
            for number in judged { take(number, .finish(.stop, stop: nil)) }
            judged = []
            return true
        }
        var isTooLong = false
        let hasMore = try stream.next { number, event in
            switch event {
            case .text(let piece, _):
                let choice = self.choice(number)
                choice.text.append(piece)
                isTooLong = isTooLong || choice.text.count > StructuredAnswer.limitBytes
            case .refusal: choice(number).isJudged = false
            case .finish(.stop, _) where choices[number]?.isJudged ?? true: return unjudged.append(number)
            default: break
            }
            take(number, event)
        }
        if isTooLong { throw DocumentJudge.failure("it is too long") }
        return hasMore
    }

    private func choice(_ number: Int) -> Choice {
        if let known = choices[number] { return known }
        let choice = Choice()
        choices[number] = choice
        return choice
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }

    func stop() { stream.stop() }
}
