import Engine

/// Finds the first of some sequences in a text that comes in pieces, in linear time whatever the sequences are: the
/// automaton of Aho and Corasick. A state is the longest beginning of a sequence that the text so far ends with.
package struct StopFinder: Sendable {
    private struct State {
        var byte: UInt8
        /// The bytes that lead to it.
        var depth: UInt16
        /// The first of the states that one more byte leads to, the others follow as its siblings; 0: none.
        var child: UInt16 = 0
        var sibling: UInt16 = 0
        /// The state of the longest ending that is a beginning of a sequence too.
        var fallback: UInt16 = 0
        /// The length of the longest sequence that ends here; 0: none does.
        var match: UInt16 = 0
    }

    /// The first is the start; none: there are no sequences. Copies share them.
    private var states: [State] = []
    private var current = 0

    /// As many bytes as there may be of all sequences together, so that states have small numbers.
    private static let limitBytes = Int(UInt16.max) - 1

    /// Text beyond `limitBytes` is left out.
    package init(_ stops: [String]) {
        if stops.isEmpty { return }
        states.append(State(byte: 0, depth: 0))
        var left = Self.limitBytes
        for stop in stops where !stop.isEmpty && stop.utf8.count <= left {
            left -= stop.utf8.count
            add(stop)
        }
        link()
    }

    package var isEmpty: Bool { states.count <= 1 }

    /// The number of bytes at the end of the text that could become a sequence.
    var heldBytes: Int { Int(states[current].depth) }

    /// Goes on by a byte; returns the length of the longest sequence that ends with it, 0 if none does.
    mutating func take(_ byte: UInt8) -> Int {
        var steps = 0
        current = next(current, byte, &steps)
        StepCount.add(steps)
        return Int(states[current].match)
    }

    private func next(_ from: Int, _ byte: UInt8, _ steps: inout Int) -> Int {
        var state = from
        while true {
            if let child = child(of: state, byte, &steps) { return child }
            if state == 0 { return 0 }
            state = Int(states[state].fallback)
        }
    }

    private func child(of state: Int, _ byte: UInt8, _ steps: inout Int) -> Int? {
        var child = Int(states[state].child)
        steps += 1
        while child != 0, states[child].byte != byte {
            child = Int(states[child].sibling)
            steps += 1
        }
        return child == 0 ? nil : child
    }

    private mutating func add(_ stop: String) {
        var state = 0
        var steps = 0
        for byte in stop.utf8 {
            if let known = child(of: state, byte, &steps) {
                state = known
                continue
            }
            var new = State(byte: byte, depth: states[state].depth + 1)
            new.sibling = states[state].child
            states[state].child = UInt16(states.count)
            state = states.count
            states.append(new)
        }
        states[state].match = states[state].depth
    }

    /// Sets what states fall back to, those of fewer bytes first.
    private mutating func link() {
        var queue: [Int] = [0]
        var done = 0
        var steps = 0
        while done < queue.count {
            let state = queue[done]
            done += 1
            var child = Int(states[state].child)
            while child != 0 {
                let fallback = state == 0 ? 0 : next(Int(states[state].fallback), states[child].byte, &steps)
                states[child].fallback = UInt16(fallback)
                if states[child].match == 0 { states[child].match = states[fallback].match }
                queue.append(child)
                child = Int(states[child].sibling)
            }
        }
        StepCount.add(steps)
    }
}
