import Shared
import Upstream

/// The upstream calls for a request for media, in phases. They are billed between the phases, so that no medium can forget
/// it, or do it twice.
struct MediaCall: Sendable {
    /// Calls a candidate's vendor until its response has begun. Bills the calls that have ended.
    let open: @Sendable (Attempt) async throws(UpstreamError) -> MediaResponse

    /// Creates the calls from their phases.
    /// - Parameters:
    ///   - calls: the number of upstream calls.
    ///   - load: sends the vendor what the calls refer to. It is not billed.
    ///   - make: makes the call with the given index. A failure is billed as far as the vendor may charge for it.
    ///   - end: returns the end of a call from what it made; nil if its response goes on.
    ///   - response: makes the response for the client. The calls are billed before.
    init<Loaded: Sendable, Made: Sendable>(
        _ calls: Int = 1,
        after load: @escaping @Sendable (Attempt) async throws(UpstreamError) -> Loaded,
        make: @escaping @Sendable (Loaded, _ index: Int, Attempt) async throws(UpstreamError) -> Made,
        end: @escaping @Sendable (Made) -> Bill.Outcome?,
        response: @escaping @Sendable (Loaded, [Made]) async throws(UpstreamError) -> MediaResponse
    ) {
        open = { (attempt) async throws(UpstreamError) in
            let loaded = try await load(attempt)
            let made = try await attempt.several(calls) { (index, attempt) async throws(UpstreamError) in
                try await attempt.billed(as: end) { () async throws(UpstreamError) in
                    try await make(loaded, index, attempt)
                }
            }
            return try await response(loaded, made)
        }
    }
}
