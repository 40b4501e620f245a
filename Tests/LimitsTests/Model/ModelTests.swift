import Model
import Support
import Testing

/// One at a time, beside the other tests.
@Suite(.serialized) struct ModelTests {
    /// The nearest states of each world; `make model` searches all of them.
    private static let statesBound = 2_000

    @Test("what is promised holds in the first states of each small world, and in all of the smallest")
    func states() async {
        let reports = await aside { Setting.few.map { Search($0).run(statesBound: Self.statesBound) } }
        for report in reports { #expect(report.breach?.text == nil, "\(report)") }
        #expect(reports.contains { $0.isComplete })
    }

    @Test("faults that are put in are found", arguments: Fault.allCases)
    func faults(_ fault: Fault) async {
        let (correct, unsound) = await aside {
            let unsound = Search(.showing(fault), fault: fault).run()
            return (Search(.showing(fault)).run(statesBound: min(unsound.states, 1_000)), unsound)
        }
        #expect(correct.breach?.text == nil, "\(correct)")
        #expect(unsound.breach != nil)
    }
}
