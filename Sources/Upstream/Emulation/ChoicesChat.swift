package import Calls
import Engine
package import Shared

/// Several choices of a vendor that makes one a call: as many calls at once. Each is billed here.
final class ChoicesChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let choices: Int
    private let call: VendorCall
    private let loop: EventLoop

    init(_ chat: any PreparedChat, _ choices: Int, _ call: VendorCall, _ loop: EventLoop) {
        self.chat = chat
        self.choices = choices
        self.call = call
        self.loop = loop
    }

    let isBilled = true

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func answer() async throws(UpstreamError) -> ChatAnswer {
        let promptTokens = chat.promptTokens
        let answers = try await allChoices(choices) { [chat, call] (_) async throws(UpstreamError) in
            do throws(UpstreamError) {
                let answer = try await chat.answer().counted(promptTokens: promptTokens)
                call.sheet.answered(
                    answer.usage ?? Usage(promptTokens: 0, completionTokens: 0),
                    credits: answer.credits
                )
                return answer
            } catch {
                call.sheet.failed(error, after: Usage(promptTokens: promptTokens, completionTokens: 0))
                throw error
            }
        }
        let usage = Usage(
            promptTokens: answers.first?.usage?.promptTokens ?? 0,
            completionTokens: answers.reduce(0) { $0 + ($1.usage?.completionTokens ?? 0) }
        )
        return ChatAnswer(answers.flatMap { $0.choices.prefix(1) }, usage: usage)
    }

    func stream() async throws(UpstreamError) -> any ChatAnswerStream {
        let streams = OpenStreams()
        let promptTokens = chat.promptTokens
        do throws(UpstreamError) {
            let opened = try await allChoices(choices) { [chat, call] (_) async throws(UpstreamError) in
                do throws(UpstreamError) {
                    let stream = try await chat.stream()
                    streams.list.append(stream)
                    return stream
                } catch {
                    call.sheet.failed(error, after: Usage(promptTokens: promptTokens, completionTokens: 0))
                    throw error
                }
            }
            return ChoicesStream(opened, promptTokens: promptTokens, call.sheet, loop)
        } catch {
            let given = UpstreamError(.cancelled, cause: "another choice failed")
            for stream in streams.list {
                stream.stop()
                call.sheet.failed(given, after: Usage(promptTokens: promptTokens, completionTokens: 0))
            }
            throw error
        }
    }
}

/// `@unchecked`: used on one loop only.
private final class OpenStreams: @unchecked Sendable {
    var list: [any ChatAnswerStream] = []
}

/// Several streams as one. A task for each waits for it; what has come is read by who reads the whole.
///
/// `@unchecked`: used on its loop only.
final class ChoicesStream: ChatAnswerStream, @unchecked Sendable {
    private final class Part {
        let index: Int
        let stream: any ChatAnswerStream
        var delivered = TokenEstimate()
        var isReady = false
        var isOver = false
        /// Wakes the task that waits for it.
        let read = Waiter()
        var task: Task<Void, Never>?

        init(_ index: Int, _ stream: any ChatAnswerStream) {
            self.index = index
            self.stream = stream
        }
    }

    private let parts: [Part]
    private let promptTokens: Int
    private let sheet: CallSheet
    private let loop: EventLoop
    private let changed = Waiter()
    private var isSilent = false
    private var hasBegun = false
    private var failure: UpstreamError?
    private var counted: Usage?
    let credits: Int? = nil

    init(_ streams: [any ChatAnswerStream], promptTokens: Int, _ sheet: CallSheet, _ loop: EventLoop) {
        parts = streams.enumerated().map { Part($0, $1) }
        self.promptTokens = promptTokens
        self.sheet = sheet
        self.loop = loop
    }

    var usage: Usage? { counted }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !hasBegun { begin(patienceNanoseconds) }
        while true {
            if parts.contains(where: \.isReady) { return .bytes }
            if let failure { throw failure }
            if parts.allSatisfy(\.isOver) { return .end }
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
            if isSilent {
                isSilent = false
                return .silence
            }
            await changed.wait()
        }
    }

    private func begin(_ patienceNanoseconds: UInt64) {
        hasBegun = true
        for index in parts.indices {
            parts[index].task = Task(executorPreference: loop) { await self.wait(for: index, patienceNanoseconds) }
        }
    }

    private func wait(for index: Int, _ patienceNanoseconds: UInt64) async {
        let part = parts[index]
        do throws(UpstreamError) {
            while !part.isOver {
                switch try await part.stream.more(patienceNanoseconds: patienceNanoseconds) {
                case .end: end(part)
                case .silence: isSilent = true
                case .bytes: part.isReady = true
                }
                changed.wake()
                while part.isReady, !Task.isCancelled { await part.read.wait() }
                if Task.isCancelled { return }
            }
        } catch {
            fail(part, error)
        }
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        for part in parts where part.isReady {
            do throws(UpstreamError) {
                let hasMore = try part.stream.next { _, event in
                    if case .text(let text) = event { part.delivered.add(text) }
                    take(part.index, event)
                }
                if hasMore { return true }
            } catch {
                fail(part, error)
                throw error
            }
            part.isReady = false
            part.read.wake()
        }
        return false
    }

    private func end(_ part: Part) {
        part.isOver = true
        let usage = Usage(
            promptTokens: part.stream.usage?.promptTokens ?? promptTokens,
            completionTokens: part.stream.usage?.completionTokens ?? part.delivered.tokens
        )
        sheet.answered(usage, credits: part.stream.credits)
        part.stream.stop()
        let before = counted ?? Usage(promptTokens: usage.promptTokens, completionTokens: 0)
        counted = Usage(
            promptTokens: before.promptTokens,
            completionTokens: before.completionTokens + usage.completionTokens
        )
    }

    private func fail(_ part: Part, _ error: UpstreamError) {
        guard !part.isOver else { return }
        part.isOver = true
        part.isReady = false
        sheet.failed(error, after: Usage(promptTokens: promptTokens, completionTokens: part.delivered.tokens))
        part.stream.stop()
        failure = failure ?? error
        changed.wake()
    }

    func stop() {
        let left = UpstreamError(.cancelled, cause: "cancelled")
        for part in parts {
            fail(part, left)
            part.task?.cancel()
            part.read.wake()
        }
    }
}

extension ChatAnswer {
    /// With the use that its vendor counted, or as estimated.
    package func counted(promptTokens: Int, by counter: TokenCounter = .estimating) -> ChatAnswer {
        if usage != nil { return self }
        let tokens = choices.reduce(0) { $0 + ($1.text.map { counter.count($0.bytes) } ?? 0) }
        var answer = self
        answer.usage = Usage(promptTokens: promptTokens, completionTokens: tokens)
        return answer
    }
}
