import Engine
import Shared

/// The streams of all choices as one. A choice for which there is no capacity waits until another one has ended.
final class ChoicesStream: ChatStream, OnLoop, @unchecked Sendable {
    private final class Choice: OnLoop, @unchecked Sendable {
        let index: Int
        /// The chat, until its stream is open.
        var chat: (any PreparedChat)?
        /// The attempt of the upstream call; nil before it is made.
        var attempt: Attempt?
        var stream: (any ChatStream)?
        var delivered: TokenCountAccumulator
        var isReady = false
        var isOver = false
        /// The waiter on which this choice's task waits until `next` has read the data that arrived.
        let read = Waiter()
        var task: Task<Void, Never>?

        init(_ index: Int, _ chat: any PreparedChat, counter: TokenCounter) {
            self.index = index
            self.chat = chat
            delivered = TokenCountAccumulator(counter)
        }

        func open(by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
            self.attempt = attempt
            guard let chat = chat.take() else { throw UpstreamError(.cancelled, cause: "cancelled") }
            let stream = try await chat.open(isStreamed: true, by: attempt)
            if stream.countsItself { delivered = TokenCountAccumulator(.estimating) }
            // The client may have left meanwhile.
            if isOver { stream.stop() }
            self.stream = stream
            return stream
        }
    }

    private let choices: [Choice]
    private let calls: ConcurrentCalls
    private let bill: ChoicesBill
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

    init(_ chats: [any PreparedChat], by attempt: Attempt, _ bill: ChoicesBill, count: CallCount, loop: EventLoop) {
        choices = chats.enumerated().map { Choice($0.offset, $0.element, counter: count.counter) }
        calls = ConcurrentCalls(attempt)
        self.bill = bill
        self.count = count
        self.loop = loop
    }

    /// Opens the streams of the choices for which there is capacity now. If one cannot be opened, stops the others.
    func open() async throws(UpstreamError) {
        do throws(UpstreamError) {
            _ = try await allChoices(choices.count) { [self] (index) async throws(UpstreamError) in
                guard let attempt = await calls.acquireNow() else { return }
                do throws(UpstreamError) {
                    _ = try await choices[index].open(by: attempt)
                } catch {
                    bill.end(index, with: error, of: attempt)
                    throw error
                }
            }
        } catch {
            let given = UpstreamError(.cancelled, cause: "another choice failed")
            for choice in choices {
                choice.stream?.stop()
                if let attempt = choice.attempt { bill.end(choice.index, with: given, of: attempt) }
            }
            throw error
        }
    }

    var usage: Usage? { bill.usage }
    let countsItself = true

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !hasBegun { begin(patienceNanoseconds) }
        while true {
            if choices.contains(where: \.isReady) { return .bytes }
            let isOver = choices.allSatisfy(\.isOver)
            if let failure, isOver || !hasEmitted { throw bill.failure(failure) }
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
        for choice in choices {
            choice.task = Task(executorPreference: loop) { await self.wait(for: choice, patienceNanoseconds) }
        }
    }

    private func wait(for choice: Choice, _ patienceNanoseconds: UInt64) async {
        do throws(UpstreamError) {
            let stream =
                if let opened = choice.stream { opened } else { try await choice.open(by: try await calls.acquire()) }
            while !choice.isOver {
                if choice.delivered.isBehind {
                    let text = choice.delivered.removeUncounted()
                    choice.delivered.putBack(text, await count.counted(text))
                }
                switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
                case .end: end(choice)
                case .silence: isSilent = true
                case .bytes: choice.isReady = true
                }
                changed.wake()
                while choice.isReady, !Task.isCancelled { await choice.read.wait() }
                if Task.isCancelled { return }
            }
        } catch {
            fail(choice, error)
        }
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        for choice in choices where choice.isReady {
            do throws(UpstreamError) {
                let hasMore = try choice.stream?.next { _, event in
                    hasEmitted = true
                    if case .text(let text, _) = event { choice.delivered.add(text) }
                    emit(choice.index, event)
                }
                if hasMore == true { return true }
            } catch {
                fail(choice, error)
                continue
            }
            choice.isReady = false
            choice.read.wake()
        }
        return false
    }

    private func end(_ choice: Choice) {
        choice.isOver = true
        if let attempt = choice.attempt, let stream = choice.stream {
            let tokens = choice.delivered.tokens
            bill.end(choice.index, stream.usage, completionTokens: tokens, credits: stream.credits, of: attempt)
            stream.stop()
        }
        calls.leave()
    }

    private func fail(_ choice: Choice, _ error: UpstreamError) {
        guard !choice.isOver else { return }
        choice.isOver = true
        choice.isReady = false
        if let attempt = choice.attempt {
            var error = error
            error.usage = error.usage ?? choice.stream?.usage
            bill.end(choice.index, with: error, completionTokens: choice.delivered.tokens, of: attempt)
            choice.stream?.stop()
            if hasEmitted { calls.leave() }
        }
        failure = failure ?? error
        changed.wake()
    }

    func stop() {
        let left = UpstreamError(.cancelled, cause: "cancelled")
        for choice in choices {
            fail(choice, left)
            choice.task?.cancel()
            choice.read.wake()
        }
    }
}
