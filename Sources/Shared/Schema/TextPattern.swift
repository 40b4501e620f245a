import Engine

/// A compiled regular expression in the syntax of ECMA-262. Matching takes time linear in the length of the text.
///
/// Look-around and back references are not supported. Lazy quantifiers count as greedy ones.
struct TextPattern: Sendable {
    enum Step: Sendable {
        case scalar(UInt32)
        /// A step that matches any character of a set, by the set's index in `sets`.
        case set(Int)
        case split(Int, Int)
        case jump(Int)
        case beginning
        case end
        case wordEdge(Bool)
        case match
    }

    private(set) var steps: [Step] = []
    private(set) var sets: [ScalarSet] = []

    /// The estimated largest number of comparisons to match one character.
    private(set) var width = 0

    static let maxSteps = 1_000

    /// Compiles a regular expression; nil if the expression is invalid, unsupported or too large.
    init?(_ text: UnsafeRawBufferPointer) {
        guard text.count <= 4_096 else { return nil }
        var reader = PatternReader(text)
        guard let tree = reader.whole(), write(tree, reader.sets) else { return nil }
        sets = reader.sets
        steps.append(.match)
        width = steps.reduce(0) { sum, step in
            if case .set(let number) = step { sum + 1 + sets[number].size / 4 } else { sum + 1 }
        }
    }

    private mutating func write(_ tree: PatternTree, _ sets: [ScalarSet]) -> Bool {
        guard steps.count < Self.maxSteps else { return false }
        switch tree {
        case .empty: break
        case .scalar(let scalar): steps.append(.scalar(scalar))
        case .set(let number): steps.append(.set(number))
        case .beginning: steps.append(.beginning)
        case .end: steps.append(.end)
        case .wordEdge(let isEdge): steps.append(.wordEdge(isEdge))
        case .sequence(let parts): for part in parts where !write(part, sets) { return false }
        case .alternatives(let parts): return write(alternatives: parts[...], sets)
        case .repeated(let part, let least, let most):
            for _ in 0..<least {
                let before = steps.count
                guard write(part, sets) else { return false }
                // A part without steps adds none, however often it is repeated. Without this check nested counts would
                // multiply the work.
                if steps.count == before { break }
            }
            return most.map { write(part, optionally: $0 - least, sets) } ?? write(part, endlessly: sets)
        }
        return true
    }

    private mutating func write(alternatives parts: ArraySlice<PatternTree>, _ sets: [ScalarSet]) -> Bool {
        var ends: [Int] = []
        for (number, part) in parts.enumerated() {
            let isLast = number == parts.count - 1
            let start = steps.count
            if !isLast { steps.append(.match) }
            guard write(part, sets) else { return false }
            if isLast { continue }
            ends.append(steps.count)
            steps.append(.match)
            steps[start] = .split(start + 1, steps.count)
        }
        for end in ends { steps[end] = .jump(steps.count) }
        return true
    }

    private mutating func write(_ part: PatternTree, optionally times: Int, _ sets: [ScalarSet]) -> Bool {
        var starts: [Int] = []
        for _ in 0..<max(0, times) {
            starts.append(steps.count)
            steps.append(.match)
            guard write(part, sets) else { return false }
        }
        for start in starts { steps[start] = .split(start + 1, steps.count) }
        return true
    }

    private mutating func write(_ part: PatternTree, endlessly sets: [ScalarSet]) -> Bool {
        let start = steps.count
        steps.append(.match)
        guard write(part, sets) else { return false }
        steps.append(.jump(start))
        steps[start] = .split(start + 1, steps.count)
        return true
    }

    // MARK: Matching

    /// Returns whether the pattern matches anywhere in the text. The text must be valid UTF-8.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        var now = Threads(count: steps.count)
        var next = Threads(count: steps.count)
        var offset = 0
        var last: UInt32?
        while true {
            var end = offset
            let scalar = Self.scalar(text, &end)
            if add(0, &now, last, scalar) { return true }
            guard let scalar else { return false }
            next.removeAll()
            for number in now.list {
                let passes =
                    switch steps[number] {
                    case .scalar(let wanted): wanted == scalar
                    case .set(let set): sets[set].contains(scalar)
                    default: false
                    }
                guard passes else { continue }
                // The anchors of the next step are checked at the next offset.
                var ahead = end
                if add(number + 1, &next, scalar, Self.scalar(text, &ahead)) { return true }
            }
            swap(&now, &next)
            last = scalar
            offset = end
        }
    }

    private struct Threads {
        var list: [Int] = []
        private var isThere: [Bool]

        init(count: Int) { isThere = Array(repeating: false, count: count) }

        mutating func insert(_ number: Int) -> Bool {
            if isThere[number] { return false }
            isThere[number] = true
            list.append(number)
            return true
        }

        mutating func removeAll() {
            for number in list { isThere[number] = false }
            list.removeAll(keepingCapacity: true)
        }
    }

    /// Adds a step to `threads`, the steps that may match the next character. Also adds the steps that can follow it
    /// without consuming a character. Returns true if the pattern is matched.
    /// - Parameters:
    ///   - number: the index of the step.
    ///   - last: the character before the step; nil at the start of the text.
    ///   - next: the character after the step; nil at the end of the text.
    private func add(_ number: Int, _ threads: inout Threads, _ last: UInt32?, _ next: UInt32?) -> Bool {
        var waiting = [number]
        while let number = waiting.popLast() {
            guard threads.insert(number) else { continue }
            switch steps[number] {
            case .match: return true
            case .jump(let target): waiting.append(target)
            case .split(let one, let other):
                waiting.append(other)
                waiting.append(one)
            case .beginning: if last == nil { waiting.append(number + 1) }
            case .end: if next == nil { waiting.append(number + 1) }
            case .wordEdge(let isEdge):
                if (Self.isWord(last) != Self.isWord(next)) == isEdge { waiting.append(number + 1) }
            case .scalar, .set: break
            }
        }
        return false
    }

    private static func isWord(_ scalar: UInt32?) -> Bool { scalar.map { ScalarSet.word.contains($0) } ?? false }

    /// Returns the character at `offset` and moves `offset` behind it; nil at the end of the text.
    static func scalar(_ text: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt32? {
        guard offset < text.count else { return nil }
        let first = text[offset]
        let more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
        guard offset + more < text.count else {
            offset = text.count
            return 0xfffd
        }
        var scalar = UInt32(more == 0 ? first : first & (0x3f >> UInt8(more)))
        for index in 0..<more { scalar = scalar << 6 | UInt32(text[offset + 1 + index] & 0x3f) }
        offset += 1 + more
        return scalar
    }
}
