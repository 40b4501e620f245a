import Engine
import Upstream

/// Makes so many choices, all at once or some. If one fails, the others are cancelled, and its failure is thrown.
func allChoices<Value: Sendable, Failure: Error>(
    _ count: Int,
    atOnce: Int = .max,
    _ make: @escaping @Sendable (_ index: Int) async throws(Failure) -> Value
) async throws(Failure) -> [Value] {
    let results = await withTaskGroup(of: (Int, Result<Value, Failure>).self) { group in
        var next = 0
        func addNext() {
            let index = next
            next += 1
            group.addTask {
                do throws(Failure) {
                    return (index, .success(try await make(index)))
                } catch {
                    return (index, .failure(error))
                }
            }
        }
        while next < min(count, atOnce) { addNext() }
        var results: [(Int, Result<Value, Failure>)] = []
        for await result in group {
            results.append(result)
            if case .failure = result.1 {
                group.cancelAll()
                next = count
            }
            if next < count { addNext() }
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
    /// Makes a call, and after a pause once more if it failed by what the vendor itself calls transient. Nothing of the
    /// answer may have gone to the client.
    func attempt<Value: Sendable>(
        _ make: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            return try await make()
        } catch {
            guard error.isTransient else { throw error }
            await gateway.loop.sleep(nanoseconds: 200_000_000)
            attempts += 1
            return try await make()
        }
    }
}
