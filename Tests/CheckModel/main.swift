import Glibc
import Model

// check-model [STATES]: runs the searches of the tests and then larger ones, each until so many states were found
// (100,000). FAULT=name puts a fault in, SETTING=name runs only that search. Exit status 1: a promise was broken.

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

let bound = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100_000
let fault = variable("FAULT").flatMap { Fault(rawValue: $0) }
let settings = fault.map { [Setting.showing($0)] } ?? Setting.few + Setting.many
let clock = ContinuousClock()
var (states, transitions, isHealthy) = (0, 0, true)
for setting in settings where variable("SETTING").map({ $0 == setting.name }) ?? true {
    let began = clock.now
    let report = Search(setting, fault: fault).run(statesBound: bound)
    print("\(report) (\((clock.now - began) / .milliseconds(1)) ms)")
    fflush(nil)
    states += report.states
    transitions += report.transitions
    if report.breach != nil { isHealthy = false }
}
print("\(states) states, \(transitions) transitions")
exit(isHealthy ? 0 : 1)
