/// The number of bytes that the scanners of texts have read. Tests and the fuzzer compare it with the length of what
/// they sent; in release builds nothing is counted.
///
/// `@unchecked`: one thread counts.
package final class StepCount: @unchecked Sendable {
    package private(set) var steps = 0

    package init() {}

    #if DEBUG || COUNT_STEPS
    @TaskLocal private static var current: StepCount?
    #endif

    /// The steps of `body`.
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
