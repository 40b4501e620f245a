package import Calls

/// The only call of a request that cannot be repeated, as it hands an upload on. Its candidate, key and capacity are
/// chosen as for all others, which its outcome is told to.
///
/// `@unchecked`: used on its request's loop only.
package final class SingleAttempt: @unchecked Sendable {
    package let candidate: Candidate
    package let call: VendorCall
    private let attempts: Attempts
    private var isOver = false

    fileprivate init(_ candidate: Candidate, _ call: VendorCall, _ attempts: Attempts) {
        self.candidate = candidate
        self.call = call
        self.attempts = attempts
    }

    package func served() {
        isOver = true
        attempts.served()
    }

    /// - Returns: the failure, which tells the key.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        isOver = true
        return attempts.failedForGood(error)
    }

    deinit {
        if !isOver { attempts.gaveUp() }
    }
}

extension Candidates {
    /// Takes the turn of a candidate that has room, with a key.
    package func single(billing sheet: CallSheet) async throws(UpstreamError) -> SingleAttempt {
        let attempts = attempts(billing: sheet)
        while let index = await attempts.next() {
            let candidate = self[index]
            if let call = await attempts.call(candidate) { return SingleAttempt(candidate, call, attempts) }
        }
        throw attempts.failure
    }
}
