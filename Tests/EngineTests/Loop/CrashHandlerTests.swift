import CLinux
import Engine
import Glibc
import Testing

@Suite(.disabled(if: relay_is_sanitized(), "sanitizers report faults themselves"))
struct CrashHandlerTests {
    @Test("a thread whose stack overflows leaves its line, and the process ends by the signal")
    func overflow() async throws {
        let ended = await #expect(processExitsWith: .signal(SIGSEGV), observing: [\.standardErrorContent]) {
            CrashHandler.install(writingTo: 2, timeOffset: 1) { signal, buffer in
                buffer.append("<------------------------ ")
                buffer.append(signal)
                buffer.append(">\n")
            }
            let worker = Worker()
            worker.begin { _ = sum(from: 0) }
            worker.join()
        }
        let written = try String(decoding: #require(ended).standardErrorContent, as: UTF8.self)
        let line = try #require(written.split(separator: "\n").last { $0.hasPrefix("<") })
        #expect(line.wholeMatch(of: /<20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ SIGSEGV>/) != nil, "\(line)")
    }
}

/// Recurses until the stack overflows. The result of the inner call is used after it, so the compiler cannot make a
/// loop of it.
private func sum(from number: Int) -> Int {
    number < 0 ? 0 : number &+ sum(from: number &+ 1)
}
