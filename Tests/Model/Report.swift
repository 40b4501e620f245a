/// The result of a search.
package struct Report: Sendable, CustomStringConvertible {
    package struct Breach: Sendable {
        package let text: String
        /// The shortest sequence of actions that leads to the breach.
        package let path: [String]
    }

    package let name: String
    package internal(set) var states = 1
    package internal(set) var transitions = 0
    package internal(set) var depth = 0
    /// Whether all states were visited, not only as many as were allowed.
    package internal(set) var isComplete = true
    package internal(set) var breach: Breach?

    init(name: String) { self.name = name }

    package var description: String {
        let extent = isComplete ? "all" : "the first"
        let found = "\(name): \(extent) \(states) states, \(transitions) transitions, \(depth) actions deep"
        guard let breach else { return found }
        return "\(found)\n  breaks \(breach.text)\n    " + breach.path.joined(separator: "\n    ")
    }
}
