import Engine
package import Shared

/// The current access token of one Google account. It is replaced before it expires.
///
/// All event loops share the object.
package final class GoogleTokens: Sendable {
    struct Token: Sendable {
        /// The access token: visible ASCII characters, which must stay secret.
        let text: String
        fileprivate let number: Int
        // The times at which the token should be replaced, and at which it expires.
        fileprivate let dueAt: LoopTime
        fileprivate let endsAt: LoopTime
    }

    fileprivate struct State {
        var refreshToken: String
        var current: Token?
        /// The number of access tokens received so far. The latest token has this `number`.
        var number = 0
        var isRenewing = false
        var waiting: [RemoteWaiter] = []
        /// The failure of the last request to the token server; nil if the request succeeded.
        var failure: UpstreamError?
        var failures = 0
        /// The time until which no request is sent to the token server, because the last request failed.
        var cooldownUntil = LoopTime.distantPast
        /// The time from which an access token can be dropped again: a pause after the last drop.
        var mayDropFrom = LoopTime.distantPast
    }

    private enum Step {
        case token(Token)
        case failure(UpstreamError)
        case wait(RemoteWaiter)
    }

    private let exchange: GoogleExchange
    private let provider: String
    private let state: Lock<State>
    private let log: Log

    private static let marginNanoseconds: UInt64 = 225_000_000_000
    private static let dropPauseNanoseconds: UInt64 = 60_000_000_000
    /// The pause in seconds after the token server refused a request.
    private static let refusalSeconds = 300
    private static let maxCooldownSeconds = 60
    private static let pausesNanoseconds: [UInt64] = [500_000_000, 1_000_000_000, 2_000_000_000]

    /// Creates the tokens of one account; no access token is requested yet. `provider` is the provider's name for the
    /// log.
    package init(_ exchange: GoogleExchange, of provider: String, _ log: Log) {
        self.exchange = exchange
        self.provider = provider
        self.log = log
        state = Lock(State(refreshToken: exchange.refreshToken))
    }

    /// Returns a valid access token. If there is none, waits at most `patienceNanoseconds` for a new one.
    /// - Throws: `timedOut` if no token arrived in time, or the failure of the last request to the token server.
    func token(
        by transport: any Transport,
        on loop: EventLoop,
        patienceNanoseconds: UInt64
    ) async throws(UpstreamError) -> Token {
        let end = loop.now + patienceNanoseconds
        while true {
            let now = loop.now
            let (step, begins) = state.withLock { Self.step(&$0, at: now, on: loop) }
            if begins { Task(executorPreference: loop) { await self.renew(by: transport, on: loop) } }
            switch step {
            case .token(let token): return token
            case .failure(let error): throw error
            case .wait(let waiter):
                await waiter.wait(until: end)
                if Task.isCancelled { throw UpstreamError(TransportError(.cancelled)) }
                guard loop.now < end else {
                    throw UpstreamError(.timedOut, cause: "no access token was received in time")
                }
            }
        }
    }

    private static func step(_ state: inout State, at now: LoopTime, on loop: EventLoop) -> (Step, begins: Bool) {
        let isFree = !state.isRenewing
        if let token = state.current, now < token.endsAt {
            let begins = isFree && now >= token.dueAt && now >= state.cooldownUntil
            if begins { state.isRenewing = true }
            return (.token(token), begins)
        }
        if isFree, now < state.cooldownUntil, let failure = state.failure { return (.failure(failure), false) }
        state.isRenewing = true
        let waiter = RemoteWaiter(loop)
        state.waiting.append(waiter)
        return (.wait(waiter), isFree)
    }

    /// Drops an access token that the vendor refused.
    /// - Returns: whether a retry with another token might succeed.
    func drop(_ token: Token, at now: LoopTime) -> Bool {
        state.withLock { state in
            guard let current = state.current, current.number == token.number else { return true }
            guard now >= state.mayDropFrom else { return false }
            state.mayDropFrom = now + Self.dropPauseNanoseconds
            state.current = nil
            return true
        }
    }

    // MARK: Exchanges

    private func renew(by transport: any Transport, on loop: EventLoop) async {
        let refreshToken = state.withLock { $0.refreshToken }
        var outcome = await exchange.token(for: refreshToken, by: transport)
        for pause in Self.pausesNanoseconds {
            guard case .failed = outcome else { break }
            await loop.sleep(nanoseconds: pause)
            outcome = await exchange.token(for: refreshToken, by: transport)
        }
        let now = loop.now
        let waiting = state.withLock { state in
            Self.store(outcome, &state, at: now)
            state.isRenewing = false
            let waiting = state.waiting
            state.waiting = []
            return waiting
        }
        for waiter in waiting { waiter.wake() }
        switch outcome {
        case .token: break
        case .refused(let cause), .failed(let cause):
            log.warning("no new access token") { line in
                line.add("provider", provider)
                line.add("cause", cause)
            }
        }
    }

    private static func store(_ outcome: GoogleExchange.Outcome, _ state: inout State, at now: LoopTime) {
        switch outcome {
        case .token(let new):
            let life = UInt64(new.seconds) * 1_000_000_000
            state.number += 1
            state.current = Token(
                text: new.text,
                number: state.number,
                dueAt: now + (life - min(marginNanoseconds, life / 2)),
                endsAt: now + life
            )
            if let refreshToken = new.refreshToken { state.refreshToken = refreshToken }
            state.failure = nil
            state.failures = 0
            state.cooldownUntil = .distantPast
        case .refused(let cause):
            state.failure = UpstreamError(.badKey, cause: cause)
            state.cooldownUntil = now.adding(seconds: refusalSeconds)
        case .failed(let cause):
            let seconds = min(1 << min(state.failures, 6), maxCooldownSeconds)
            state.failures += 1
            var error = UpstreamError(.unavailable, cause: cause)
            error.retryAfterSeconds = seconds
            state.failure = error
            state.cooldownUntil = now.adding(seconds: seconds)
        }
    }
}
