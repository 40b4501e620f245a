import Engine

/// The state of one validation: the current path, the problems and the work done.
struct SchemaCheck {
    let schema: JSONSchema
    let checksFormats: Bool
    private var stepsLeft: Int
    private var depth = 0
    var path: [PathStep] = []
    var problems: [SchemaProblem] = []
    /// The number of running checks, one inside the other, that do not record problems; 0 if problems are recorded.
    private var silences = 0
    /// Whether the validation exceeded the allowed work or depth, so that its result is unknown.
    private(set) var isOut = false

    private static let maxDepth = 192
    /// The smallest cost of checking one value against one schema, in steps of work.
    private static let stepsPerNode = 16
    static let maxProblems = 8

    init(_ schema: JSONSchema, steps: Int, checksFormats: Bool) {
        self.schema = schema
        self.checksFormats = checksFormats
        stepsLeft = steps
    }

    /// The members or elements of one value that some schema has already checked, for `unevaluatedProperties` and
    /// `unevaluatedItems`.
    final class Marks {
        var seen: [Bool]

        init(count: Int) { seen = Array(repeating: false, count: count) }

        convenience init(like other: Marks) { self.init(count: other.seen.count) }

        func add(_ other: Marks) { for index in seen.indices where other.seen[index] { seen[index] = true } }
    }

    mutating func spend(_ steps: Int) -> Bool {
        stepsLeft -= steps
        StepCount.add(steps)
        if stepsLeft < 0 { isOut = true }
        return !isOut
    }

    /// Records a problem with the value at the current path, unless problems are not recorded. Returns false.
    @discardableResult
    mutating func refuse(_ reason: @autoclosure () -> String) -> Bool {
        guard silences == 0, problems.count < Self.maxProblems else { return false }
        problems.append(SchemaProblem(path: path.text, reason: reason(), depth: path.count))
        return false
    }

    /// Returns whether a value matches the schema at this index of `JSONSchema.nodes`, and records problems.
    mutating func fits(_ number: Int, _ value: JSONValue, _ marks: Marks?) -> Bool {
        guard spend(Self.stepsPerNode), depth < Self.maxDepth else {
            isOut = true
            return false
        }
        depth += 1
        defer { depth -= 1 }
        let node = schema.nodes[number]
        if let always = node.always {
            if !always { refuse("is not allowed") }
            return always
        }
        let types = Self.types(of: value)
        if let wanted = node.types, wanted.isDisjoint(with: types) {
            return refuse("must be \(wanted.phrase), not \(Self.phrase(types, value))")
        }
        var fits = true
        for values in node.values { fits = isOne(of: values, value) && fits }
        var own = marks
        if node.isTracking { own = Marks(count: Self.parts(of: value)) }
        switch value.kind {
        case .integer, .decimal: if let rules = node.number { fits = self.fits(rules, value) && fits }
        case .string: if let rules = node.text, let text = value.text { fits = self.fits(rules, text) && fits }
        case .array: if let rules = node.array { fits = self.fits(rules, value, own) && fits }
        case .object: if let rules = node.object { fits = self.fits(rules, value, own) && fits }
        case .flag, .null: break
        }
        if isOut || !fits && silences > 0 { return false }
        fits = combinations(node, value, own) && fits
        guard node.isTracking, let own, !isOut else { return fits }
        fits = unseen(node, value, own) && fits
        marks?.add(own)
        return fits
    }

    private mutating func combinations(_ node: SchemaNode, _ value: JSONValue, _ marks: Marks?) -> Bool {
        var fits = true
        if let reference = node.reference { fits = self.fits(reference, value, marks) && fits }
        for schema in node.all { fits = self.fits(schema, value, marks) && fits }
        if !node.any.isEmpty { fits = fitsAny(node.any, value, marks) && fits }
        if !node.one.isEmpty { fits = fitsOne(node.one, value, marks) && fits }
        if let no = node.no, isSilently(no, value, nil) {
            fits = refuse("must not be what `not` of the schema describes")
        }
        if let condition = node.condition, node.then ?? node.otherwise != nil || marks != nil {
            let branch = isSilently(condition, value, marks) ? node.then : node.otherwise
            if let branch { fits = self.fits(branch, value, marks) && fits }
        }
        return fits && !isOut
    }

    /// Returns whether a value matches a schema, without recording problems. If it matches, adds the members that the
    /// schema checked to `marks`.
    private mutating func isSilently(_ schema: Int, _ value: JSONValue, _ marks: Marks?) -> Bool {
        silences += 1
        defer { silences -= 1 }
        let seen = marks.map { Marks(like: $0) }
        guard spend(seen?.seen.count ?? 0), fits(schema, value, seen) else { return false }
        if let seen { marks?.add(seen) }
        return true
    }

    /// Returns whether a value matches a schema, without recording problems or which members were evaluated.
    mutating func isQuietly(_ schema: Int, _ value: JSONValue) -> Bool { isSilently(schema, value, nil) }

    private mutating func fitsAny(_ schemas: [Int], _ value: JSONValue, _ marks: Marks?) -> Bool {
        var fitting = 0
        let tried = alternatives(schemas, value, marks) { found in
            fitting = found
            return found > 0 && marks == nil
        }
        if fitting > 0 { return true }
        report(tried, "fits none of the \(schemas.count) alternatives")
        return false
    }

    private mutating func fitsOne(_ schemas: [Int], _ value: JSONValue, _ marks: Marks?) -> Bool {
        var fitting = 0
        let tried = alternatives(schemas, value, marks) { found in
            fitting = found
            return found > 1
        }
        if fitting == 1 { return true }
        if fitting > 1 {
            refuse("fits more than one of the \(schemas.count) alternatives, of which exactly one must fit")
        } else {
            report(tried, "fits none of the \(schemas.count) alternatives")
        }
        return false
    }

    /// Checks a value against schemas in order. Stops when `isEnough` returns true for the number of schemas that match
    /// so far. Returns the problems with each schema that does not match.
    private mutating func alternatives(
        _ schemas: [Int],
        _ value: JSONValue,
        _ marks: Marks?,
        _ isEnough: (Int) -> Bool
    ) -> [[SchemaProblem]] {
        let before = problems
        defer { problems = before }
        var tried: [[SchemaProblem]] = []
        var fitting = 0
        for schema in schemas where !isOut {
            problems = []
            let seen = marks.map { Marks(like: $0) }
            guard spend(seen?.seen.count ?? 0) else { break }
            if fits(schema, value, seen) {
                fitting += 1
                if let seen { marks?.add(seen) }
            } else if silences == 0, tried.count < Self.maxProblems {
                tried.append(problems)
            }
            if isEnough(fitting) { break }
        }
        _ = isEnough(isOut ? 0 : fitting)
        return tried
    }

    /// Records why a value matches none of several schemas. `tried` contains the problems of each schema.
    private mutating func report(_ tried: [[SchemaProblem]], _ reason: String) {
        guard silences == 0 else { return }
        let deepest = tried.max { ($0.first?.depth ?? 0) < ($1.first?.depth ?? 0) } ?? []
        if tried.count == 1 || (deepest.first?.depth ?? 0) > path.count {
            problems += deepest.prefix(max(0, Self.maxProblems - problems.count))
            return
        }
        let reasons = tried.compactMap(\.first?.reason).prefix(4)
        refuse(reason + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: "; or ")))
    }

    static func types(of value: JSONValue) -> JSONTypes {
        switch value.kind {
        case .null: .null
        case .flag: .boolean
        case .object: .object
        case .array: .array
        case .string: .string
        case .integer: [.integer, .number]
        case .decimal: value.number.map { $0 == $0.rounded() } == true ? [.integer, .number] : .number
        }
    }

    private static func phrase(_ types: JSONTypes, _ value: JSONValue) -> String {
        if types.contains(.number) { return "the number \(text(value.number ?? 0))" }
        return types.phrase
    }

    private static func parts(of value: JSONValue) -> Int {
        value.members?.count ?? value.elements.map { $0.reduce(0) { count, _ in count + 1 } } ?? 0
    }

    private mutating func isOne(of values: SchemaNode.Values, _ value: JSONValue) -> Bool {
        let isKnown: Bool
        if let texts = values.texts {
            isKnown = value.text.map { texts.number(of: $0) != nil } ?? false
            guard spend((value.text?.count ?? 0) / 8) else { return false }
        } else {
            var buffer = ByteBuffer()
            let isWritten = CanonicalValue.append(value, to: &buffer)
            guard spend(buffer.count) else { return false }
            isKnown = isWritten && values.table.number(of: buffer.bytes) != nil
        }
        if isKnown { return true }
        return refuse(values.table.count == 1 ? "must be \(values.list)" : "must be one of \(values.list)")
    }
}
