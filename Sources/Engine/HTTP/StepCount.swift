/// A counter of the bytes that text scanners read, for tests. Release builds do not count.
///
/// `@unchecked`: only one thread uses it.
package final class StepCount: @unchecked Sendable {
    package private(set) var steps = 0

    package init() {}

    #if DEBUG || COUNT_STEPS
    @TaskLocal private static var current: StepCount?
    #endif

    /// Runs `body` and returns the number of bytes that text scanners read in `body`.
    package static func of<Failure>(_ body: () throws(Failure) -> Void) throws(Failure) -> Int {
        let count = StepCount()
        #if DEBUG || COUNT_STEPS
        let result = $current.withValue(count) { () -> Result<Void, Failure> in
            do throws(Failure) {
                return .success(try body())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        #else
        try body()
        #endif
        return count.steps
    }

    @inline(__always)
    package static func add(_ steps: Int) {
        #if DEBUG || COUNT_STEPS
        current?.steps += steps
        #endif
    }
}
