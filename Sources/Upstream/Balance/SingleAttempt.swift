package import Calls
import Engine

/// The only attempt of a request that cannot be retried, such as a streamed upload.
package final class SingleAttempt: OnLoop, @unchecked Sendable {
    package let candidate: Candidate
    package let call: Attempt
    private let attempts: Attempts
    private var isOver = false

    fileprivate init(_ candidate: Candidate, _ call: Attempt, attempts: Attempts) {
        self.candidate = candidate
        self.call = call
        self.attempts = attempts
    }

    package func served() {
        isOver = true
        attempts.served()
    }

    /// Records that the call failed. Returns the failure with the credential of the call.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        isOver = true
        return attempts.recordFinalFailure(error)
    }

    deinit {
        if !isOver { attempts.endTrial() }
    }
}

extension Candidates {
    /// Chooses the next candidate with capacity, and its key, for a call that cannot be retried.
    ///
    /// - Throws: the failure to report to the client if no candidate has capacity.
    package func single(billing: Billing) async throws(UpstreamError) -> SingleAttempt {
        let attempts = attempts(billing: billing)
        while let index = await attempts.next() {
            let candidate = self[index]
            if let call = await attempts.call(candidate) { return SingleAttempt(candidate, call, attempts: attempts) }
        }
        throw attempts.failure
    }
}
