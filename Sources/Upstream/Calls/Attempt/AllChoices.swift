/// Calls `make` for each index below `count`, at most `atOnce` at a time. Returns the values in the order of their
/// indexes.
/// - Parameter goesOn: returns whether the other calls go on after a failure. Their values are then returned alone.
/// - Throws: the error of the first call of `make` that fails. The other calls are then cancelled.
package func allChoices<Value: Sendable, Failure: Error>(
    _ count: Int,
    atOnce: Int = .max,
    goingOn goesOn: (Failure) -> Bool = { _ in false },
    _ make: @escaping @Sendable (_ index: Int) async throws(Failure) -> Value
) async throws(Failure) -> [Value] {
    let result = await withTaskGroup(of: (Int, Result<Value, Failure>).self) { group in
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
        var values: [(Int, Value)] = []
        // The results come in the order of their ends, so the first failure is the cause of the others.
        var failure: Failure?
        var isOver = false
        for await (index, result) in group {
            switch result {
            case .success(let value): values.append((index, value))
            case .failure(let error):
                failure = failure ?? error
                if !goesOn(error) {
                    isOver = true
                    group.cancelAll()
                    next = count
                }
            }
            if next < count { addNext() }
        }
        if let failure, isOver { return Result<[(Int, Value)], Failure>.failure(failure) }
        return .success(values)
    }
    return try result.get().sorted { $0.0 < $1.0 }.map(\.1)
}
