import Engine
import Upstream

/// Makes so many choices at once. If one fails, the others are cancelled, and its failure is thrown.
func allChoices<Value: Sendable>(
    _ count: Int,
    _ make: @escaping @Sendable (_ index: Int) async throws(UpstreamError) -> Value
) async throws(UpstreamError) -> [Value] {
    let results = await withTaskGroup(of: (Int, Result<Value, UpstreamError>).self) { group in
        for index in 0..<count {
            group.addTask {
                do throws(UpstreamError) {
                    return (index, .success(try await make(index)))
                } catch {
                    return (index, .failure(error))
                }
            }
        }
        var results: [(Int, Result<Value, UpstreamError>)] = []
        for await result in group {
            results.append(result)
            if case .failure = result.1 { group.cancelAll() }
        }
        return results
    }
    // In the order of their ends: the first failure is the cause of the others.
    for result in results { _ = try result.1.get() }
    var values: [Value] = []
    for result in results.sorted(by: { $0.0 < $1.0 }) { values.append(try result.1.get()) }
    return values
}

extension Responder {
    /// Before a call is tried once more: pauses after what the vendor itself calls transient, throws all else. Nothing of
    /// the answer may have gone to the client.
    func pause(after error: UpstreamError) async throws(UpstreamError) {
        guard error.isTransient else { throw error }
        await gateway.loop.sleep(nanoseconds: 200_000_000)
        attempts += 1
    }
}
