/// What a search found.
package struct Report: Sendable, CustomStringConvertible {
    package struct Breach: Sendable {
        package let text: String
        /// The actions that lead to it, as few as possible.
        package let path: [String]
    }

    package let name: String
    package internal(set) var states = 1
    package internal(set) var transitions = 0
    package internal(set) var depth = 0
    /// All states were seen, not only as many as were allowed.
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
