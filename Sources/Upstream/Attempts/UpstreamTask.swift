import Engine
package import Shared

/// A request that can be made to several candidates, one after another.
package protocol UpstreamTask: AnyObject, Sendable {
    associatedtype Fit: AttemptFit
    associatedtype Response: Sendable
    /// Prepares the request for the candidate, which has this index among the candidates.
    ///
    /// If it throws, the next candidate is tried. An error with the status 499 or more ends the request.
    func fit(_ candidate: Candidate, at index: Int) async throws(APIError) -> Fit
    /// Calls the vendor until its response has begun. The client has received nothing yet.
    func open(_ fit: Fit, _ attempt: Attempt) async throws(UpstreamError) -> Response
    /// Handles a failed call. It can bill what `open` has not billed.
    func failed(_ fit: Fit, _ attempt: Attempt, _ error: UpstreamError)
    /// The nanoseconds so far in which the request did not wait for a vendor. They extend the deadline.
    var otherWaitNanoseconds: UInt64 { get }
}

extension UpstreamTask {
    package func failed(_ fit: Fit, _ attempt: Attempt, _ error: UpstreamError) {}
    package var otherWaitNanoseconds: UInt64 { 0 }
}

/// A request that is prepared for one candidate.
package protocol AttemptFit: Sendable {
    /// The candidate, perhaps limited to the key that holds a file.
    var candidate: Candidate { get }
    /// Whether all waits of the call end at the deadline by themselves, so that no timer is needed.
    var keepsDeadline: Bool { get }
}

extension Candidates {
    /// Makes the attempts of one request, which choose a candidate and a key for each call.
    /// - Parameters:
    ///   - affinity: a value, such as the user: calls with equal values use one provider and key. Nil without such a
    ///     value.
    ///   - excluded: the indexes of candidates that must not get the call. Must not contain all indexes.
    package func attempts(billing: Billing, affinity: AffinityValue? = nil, besides excluded: Set<Int> = []) -> Attempts
    {
        let attempts = Attempts(list, balance, order: order, caller: caller, billing: billing, affinity: affinity)
        if !excluded.isEmpty { attempts.open.leaveOut(excluded) }
        if affinity?.isSession == true { attempts.open.chooseSessionKey() }
        return attempts
    }

    /// Calls candidates until a response has begun, and returns it. Stops if another call cannot help.
    ///
    /// This is the only loop over candidates.
    package func attempt<Task: UpstreamTask>(
        _ task: Task,
        _ attempts: Attempts
    ) async throws(UpstreamError) -> Begun<Task.Response> {
        while let index = await attempts.next() {
            let before = task.otherWaitNanoseconds
            let fit: Task.Fit
            do throws(APIError) {
                fit = try await task.fit(self[index], at: index)
            } catch {
                attempts.skip(error)
                guard error.status < 499 else { throw UpstreamError(refusing: error) }
                continue
            }
            guard let attempt = await attempts.call(fit.candidate) else { continue }
            do throws(UpstreamError) {
                if fit.keepsDeadline { return Begun(try await task.open(fit, attempt), by: attempts) }
                let timed = TimedCall(
                    by: attempt.loop,
                    besides: { max(task.otherWaitNanoseconds, before) - before }
                )
                let response = try await timed.result(until: attempts.endsAt, orFailFor: UpstreamError.tooLate) {
                    () async throws(UpstreamError) in try await task.open(fit, attempt)
                }
                return Begun(response, by: attempts)
            } catch {
                attempts.postpone(byNanoseconds: max(task.otherWaitNanoseconds, before) - before)
                task.failed(fit, attempt, error)
                try attempts.failed(error)
            }
        }
        throw attempts.failure
    }
}

/// A response that has begun, and the call that got it. The end of the response is recorded at most once.
package struct Begun<Response: Sendable>: ~Copyable {
    package let response: Response
    let call: BegunCall

    fileprivate init(_ response: Response, by attempts: Attempts) {
        self.response = response
        call = BegunCall(attempts)
    }

    package consuming func served() { call.served() }

    package consuming func brokeOff(_ failure: UpstreamError) -> UpstreamError { call.brokeOff(failure) }
}

/// The call of a response that has begun. If it is dropped, the circuit breaker counts neither a success nor a failure.
struct BegunCall: ~Copyable, Sendable {
    private enum Origin {
        case attempts(Attempts)
        case only(Attempt)
    }

    private let origin: Origin

    fileprivate init(_ attempts: Attempts) {
        origin = .attempts(attempts)
        attempts.begun()
    }

    /// Creates the call of a request with a single candidate (`Candidates.isSingle`).
    init(only attempt: Attempt) { origin = .only(attempt) }

    consuming func served() {
        switch origin {
        case .attempts(let attempts): attempts.served()
        case .only(let attempt): attempt.served()
        }
    }

    /// Returns the failure with the credential of the call.
    consuming func brokeOff(_ failure: UpstreamError) -> UpstreamError {
        switch origin {
        case .attempts(let attempts): attempts.brokeOff(failure)
        case .only(let attempt): attempt.failure(failure)
        }
    }
}
