import Engine

/// A regular expression (ECMA 262's, as JSON Schema has them) that is matched in time linear in the text. Look-around and
/// back references are beyond it; laziness has no effect on what matches.
struct TextPattern: Sendable {
    enum Step: Sendable {
        case scalar(UInt32)
        /// Of `sets`.
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

    /// The work for one character: a unit a step, and one more for each four parts of a set.
    private(set) var width = 0

    static let mostSteps = 1_000

    /// Nil: it is beyond the subset, or too large.
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
        guard steps.count < Self.mostSteps else { return false }
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
                // A part without steps adds none however often it is repeated: nested counts would multiply for nothing.
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
}

// MARK: Matching

extension TextPattern {
    /// It matches somewhere in the text, which is valid UTF-8.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        var now = Threads(count: steps.count)
        var next = Threads(count: steps.count)
        var place = 0
        var last: UInt32?
        while true {
            var end = place
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
                // Seen from the next place.
                var ahead = end
                if add(number + 1, &next, scalar, Self.scalar(text, &ahead)) { return true }
            }
            swap(&now, &next)
            last = scalar
            place = end
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

    /// Adds all that is reached without a character; true: the end is.
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

    /// The character at `place`, which moves behind it; nil at the end.
    static func scalar(_ text: UnsafeRawBufferPointer, _ place: inout Int) -> UInt32? {
        guard place < text.count else { return nil }
        let first = text[place]
        let more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
        guard place + more < text.count else {
            place = text.count
            return 0xfffd
        }
        var scalar = UInt32(more == 0 ? first : first & (0x3f >> UInt8(more)))
        for index in 0..<more { scalar = scalar << 6 | UInt32(text[place + 1 + index] & 0x3f) }
        place += 1 + more
        return scalar
    }
}
