import Support
import Testing

@testable import Routes

@Suite struct OpenReloadsTests {
    @Test("a reload may begin every five seconds, whichever loop's reading of the clock is earlier")
    func pauses() {
        let reloads = OpenReloads()
        #expect(reloads.mayBegin(at: .seconds(100)))
        #expect(!reloads.mayBegin(at: .seconds(99)))
        #expect(!reloads.mayBegin(at: .seconds(104)))
        #expect(reloads.mayBegin(at: .seconds(105)))
    }
}
