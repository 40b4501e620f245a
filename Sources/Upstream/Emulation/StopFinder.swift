import Engine

/// A finder for the first of several stop sequences in a text that arrives in chunks.
package struct StopFinder: Sendable {
    private struct State {
        var byte: UInt8
        /// The number of a stop sequence's first bytes that have matched in this state.
        var depth: UInt16
        /// The index of the first child, a state in which one more byte has matched; 0 if there is no child.
        var child: UInt16 = 0
        var sibling: UInt16 = 0
        /// The index of the state to try next if no child matches the next byte. This state stands for the end of the
        /// text that can still begin a stop sequence: after `aba`, which begins `abac`, it stands for the last `a`.
        var fallback: UInt16 = 0
        /// The length of the longest stop sequence that is complete in this state, in bytes; 0 if none is complete.
        var match: UInt16 = 0
    }

    /// All states, beginning with the start state; empty if there are no stop sequences.
    private var states: [State] = []
    private var current = 0

    /// The largest total length of all stop sequences, in bytes. The indexes of the states then fit in 16 bits.
    private static let limitBytes = Int(UInt16.max) - 1

    /// Creates a finder. Ignores a stop sequence with which the total length would exceed `limitBytes`.
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

    /// The number of bytes at the end of the text that could begin a stop sequence.
    var heldBytes: Int { Int(states[current].depth) }

    /// Consumes a byte of the text. Returns the length of the longest stop sequence that ends with it; 0 if none does.
    mutating func consume(_ byte: UInt8) -> Int {
        var steps = 0
        current = next(current, byte, steps: &steps)
        StepCount.add(steps)
        return Int(states[current].match)
    }

    private func next(_ from: Int, _ byte: UInt8, steps: inout Int) -> Int {
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

    /// Computes the property `fallback` of all states, beginning with the states of the fewest matched bytes.
    private mutating func link() {
        var queue: [Int] = [0]
        var done = 0
        var steps = 0
        while done < queue.count {
            let state = queue[done]
            done += 1
            var child = Int(states[state].child)
            while child != 0 {
                let fallback = state == 0 ? 0 : next(Int(states[state].fallback), states[child].byte, steps: &steps)
                states[child].fallback = UInt16(fallback)
                if states[child].match == 0 { states[child].match = states[fallback].match }
                queue.append(child)
                child = Int(states[child].sibling)
            }
        }
        StepCount.add(steps)
    }
}
