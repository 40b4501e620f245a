import Engine
import Shared

/// A chat with several choices, for a vendor that returns one choice per call.
final class ChoicesChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    /// The vendor's chats, one for each prompt.
    private let chats: [any PreparedChat]
    private let choices: Int
    /// The response of an earlier upstream call for the same prompt; nil if there was none.
    private let first: LoggedStream?
    private let count: CallCount
    private let loop: EventLoop

    /// Creates a chat with several choices.
    ///
    /// - Parameters:
    ///   - chats: the vendor's chats, one for each prompt.
    ///   - first: the response of an earlier upstream call, whose choices come first; nil if there was none.
    init(
        _ chats: [any PreparedChat],
        _ choices: Int,
        after first: LoggedStream? = nil,
        count: CallCount,
        loop: EventLoop
    ) {
        self.first = first
        self.chats = chats
        self.choices = choices
        self.count = count
        self.loop = loop
    }

    /// The maximum number of concurrent upstream calls for a response that is not streamed.
    private static let atOnce = 8

    func write() { for chat in chats { chat.write() } }

    var promptTokens: Int { chats.reduce(0) { $0 + $1.promptTokens } }

    private func chat(ofChoice index: Int) -> any PreparedChat { chats[index * chats.count / choices] }

    private var use: ChoicesUsage { ChoicesUsage(chats.map(\.promptTokens), choices, count: count) }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        isStreamed ? try await stream(by: attempt) : try await whole(by: attempt)
    }

    /// Makes the calls of all choices, and returns their whole responses as one.
    private func whole(by attempt: Attempt) async throws(UpstreamError) -> LoggedStream {
        let (use, choiceCapacity) = (use, ChoiceCapacity(attempt, mayLackChoices: chats.count == 1))
        do throws(UpstreamError) {
            let kept = try await kept(use)
            if !kept.isEmpty { choiceCapacity.hasSucceeded = true }
            let responses = try await allChoices(
                choices - kept.count,
                atOnce: Self.atOnce,
                goingOn: choiceCapacity.goesOn(after:)
            ) { [self] (index) async throws(UpstreamError) in
                try await response(ofChoice: kept.count + index, use, choiceCapacity)
            }
            try choiceCapacity.recordFailures()
            let log = EventLog()
            ChatResponse(kept + responses.flatMap { $0.choices.prefix(1) }, usage: nil).emit(log.append)
            return LoggedStream(log, usage: use.sum ?? .nothing)
        } catch {
            throw use.failure(error)
        }
    }

    /// Returns the choices of the earlier response `first` that the client gets; empty without such a response. Adds
    /// the usage of that response to `use`.
    private func kept(_ use: ChoicesUsage) async throws(UpstreamError) -> [ChatResponse.Choice] {
        guard let first else { return [] }
        let counted = try await count.counted(try await first.gathered(), of: self)
        if let usage = counted.usage { use.keep(usage) }
        return Array(counted.choices.prefix(choices - 1))
    }

    private func response(
        ofChoice index: Int,
        _ use: ChoicesUsage,
        _ choiceCapacity: ChoiceCapacity
    ) async throws(UpstreamError) -> ChatResponse {
        // A call that waited in vain for capacity used nothing.
        let attempt = try await choiceCapacity.acquire()
        do throws(UpstreamError) {
            let answered = try await chat(ofChoice: index).gathered(by: attempt)
            let response = try await count.counted(answered, of: self)
            let tokens = response.usage?.completionTokens ?? 0
            use.recordResponse(
                index,
                answered.usage,
                completionTokens: tokens,
                credits: response.credits,
                of: attempt
            )
            choiceCapacity.succeeded()
            return response
        } catch {
            use.failed(index, error, of: attempt)
            throw error
        }
    }

    private func stream(by attempt: Attempt) async throws(UpstreamError) -> ChoicesStream {
        let streams = OpenStreams()
        let (use, choiceCapacity) = (use, ChoiceCapacity(attempt))
        do throws(UpstreamError) {
            let opened = try await allChoices(choices) { [self] (index) async throws(UpstreamError) -> OpenChoice in
                let chat = chat(ofChoice: index)
                guard let attempt = await choiceCapacity.acquireNow() else {
                    return OpenChoice(stream: DeferredStream(choiceCapacity, chat), index: index, ownAttempt: nil)
                }
                do throws(UpstreamError) {
                    let stream = try await chat.open(isStreamed: true, by: attempt)
                    streams.list.append(OpenChoice(stream: stream, index: index, ownAttempt: attempt))
                    return streams.list[streams.list.count - 1]
                } catch {
                    use.failed(index, error, of: attempt)
                    throw error
                }
            }
            return ChoicesStream(opened, use, choiceCapacity: choiceCapacity, count: count, loop: loop)
        } catch {
            let given = UpstreamError(.cancelled, cause: "another choice failed")
            for choice in streams.list {
                choice.stream.stop()
                if let attempt = choice.attempt { use.failed(choice.index, given, of: attempt) }
            }
            throw use.failure(error)
        }
    }
}

/// The stream of one choice, and the attempt that opened it.
struct OpenChoice: Sendable {
    let stream: any ChatStream
    let index: Int
    /// The attempt of a stream that is open; nil if the stream opens itself once there is capacity.
    let ownAttempt: Attempt?

    /// The attempt of the choice; nil while the stream still waits for capacity.
    var attempt: Attempt? { ownAttempt ?? (stream as? DeferredStream)?.attempt }
}

/// A list of open streams, for stopping them if another stream cannot be opened.
private final class OpenStreams: OnLoop, @unchecked Sendable {
    var list: [OpenChoice] = []
}

final class ChoicesStream: ChatStream, OnLoop, @unchecked Sendable {
    private final class ChoiceStream {
        let choice: OpenChoice
        var index: Int { choice.index }
        var stream: any ChatStream { choice.stream }
        var delivered: TokenCountAccumulator
        var isReady = false
        var isOver = false
        /// The waiter on which this stream's task waits until `next` has read the data that arrived.
        let read = Waiter()
        var task: Task<Void, Never>?

        init(_ choice: OpenChoice, counter: TokenCounter) {
            self.choice = choice
            delivered = TokenCountAccumulator(counter)
        }
    }

    private let parts: [ChoiceStream]
    private let use: ChoicesUsage
    private let choiceCapacity: ChoiceCapacity
    private let count: CallCount
    private let loop: EventLoop
    private let changed = Waiter()
    private var isSilent = false
    private var hasBegun = false
    /// Whether the client has got a part of a choice. Then the failure of one choice does not end the others.
    private var hasEmitted = false
    /// The first failure of a choice. It is thrown when the other choices have ended.
    private var failure: UpstreamError?
    let credits: Int? = nil

    init(
        _ choices: [OpenChoice],
        _ use: ChoicesUsage,
        choiceCapacity: ChoiceCapacity,
        count: CallCount,
        loop: EventLoop
    ) {
        parts = choices.map { ChoiceStream($0, counter: $0.stream.countsItself ? .estimating : count.counter) }
        self.use = use
        self.choiceCapacity = choiceCapacity
        self.count = count
        self.loop = loop
    }

    var usage: Usage? { use.sum }
    let countsItself = true

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !hasBegun { begin(patienceNanoseconds) }
        while true {
            if parts.contains(where: \.isReady) { return .bytes }
            let isOver = parts.allSatisfy(\.isOver)
            if let failure, isOver || !hasEmitted { throw use.failure(failure) }
            if isOver { return .end }
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
                if part.delivered.isBehind {
                    let text = part.delivered.removeUncounted()
                    part.delivered.putBack(text, await count.counted(text))
                }
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

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        for part in parts where part.isReady {
            do throws(UpstreamError) {
                let hasMore = try part.stream.next { _, event in
                    hasEmitted = true
                    if case .text(let text, _) = event { part.delivered.add(text) }
                    emit(part.index, event)
                }
                if hasMore { return true }
            } catch {
                fail(part, error)
                continue
            }
            part.isReady = false
            part.read.wake()
        }
        return false
    }

    private func end(_ part: ChoiceStream) {
        part.isOver = true
        if let attempt = part.choice.attempt {
            use.recordResponse(
                part.index,
                part.stream.usage,
                completionTokens: part.delivered.tokens,
                credits: part.stream.credits,
                of: attempt
            )
        }
        part.stream.stop()
        choiceCapacity.succeeded()
    }

    private func fail(_ part: ChoiceStream, _ error: UpstreamError) {
        guard !part.isOver else { return }
        part.isOver = true
        part.isReady = false
        let attempt = part.choice.attempt
        if let attempt {
            var error = error
            error.usage = error.usage ?? part.stream.usage
            use.failed(part.index, error, completionTokens: part.delivered.tokens, of: attempt)
        }
        part.stream.stop()
        if hasEmitted, attempt != nil { choiceCapacity.leave() }
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
