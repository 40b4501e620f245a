import Model
import Support
import Testing

/// One at a time, beside the other tests.
@Suite(.serialized) struct ModelTests {
    @Test("what is promised holds in each state that a small world can reach")
    func states() async {
        for report in await aside({ Setting.few.map { Search($0).run() } }) {
            print(report)
            #expect(report.breach?.text == nil, "\(report)")
            #expect(report.isComplete)
        }
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
