/// Calls `make` for each index below `count`, at most `atOnce` at a time. Returns the values in the order of their
/// indexes.
///
/// - Throws: the error of the first call of `make` that fails. The other calls are then cancelled.
package func allChoices<Value: Sendable, Failure: Error>(
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
    // The results are in the order of their ends, so the first failure is the cause of the others.
    for result in results { _ = try result.1.get() }
    var values: [Value] = []
    for result in results.sorted(by: { $0.0 < $1.0 }) { values.append(try result.1.get()) }
    return values
}
