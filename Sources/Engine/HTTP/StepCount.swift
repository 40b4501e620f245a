/// A counter of the bytes that text scanners read. Tests and the fuzzer compare it with the length of their input.
/// Release builds do not count.
///
/// `@unchecked`: used by one thread.
package final class StepCount: @unchecked Sendable {
    package private(set) var steps = 0

    package init() {}

    #if DEBUG || COUNT_STEPS
    @TaskLocal private static var current: StepCount?
    #endif

    /// Runs `body` and returns the number of steps.
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
