import Engine

// MARK: Numbers and strings

extension SchemaCheck {
    mutating func fits(_ rules: SchemaNode.NumberRules, _ value: JSONValue) -> Bool {
        guard let number = value.number else { return false }
        var fits = true
        if let minimum = rules.minimum, number < minimum { fits = refuse("must be at least \(Self.text(minimum))") }
        if let maximum = rules.maximum, number > maximum { fits = refuse("must be at most \(Self.text(maximum))") }
        if let above = rules.above, number <= above { fits = refuse("must be above \(Self.text(above))") }
        if let below = rules.below, number >= below { fits = refuse("must be below \(Self.text(below))") }
        if let step = rules.multipleOf, !Self.isMultiple(value, number, step) {
            fits = refuse("must be a multiple of \(Self.text(step))")
        }
        return fits
    }

    static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }

    /// Returns whether a number is a multiple of `step`. Allows a small rounding error.
    private static func isMultiple(_ value: JSONValue, _ number: Double, _ step: Double) -> Bool {
        if let whole = value.integer, let step = Int64(exactly: step) { return whole % step == 0 }
        // A whole number is a multiple of 1/n for any whole n, such as 0.1.
        let parts = (1 / step).rounded()
        if number == number.rounded(), parts >= 1, abs(1 / step - parts) <= parts * 0x1p-50 { return true }
        let quotient = number / step
        guard quotient.isFinite, abs(quotient) < 0x1p53 else { return number.remainder(dividingBy: step) == 0 }
        // Decimal fractions such as 0.1 are not exact in binary.
        return abs(quotient - quotient.rounded()) <= abs(quotient) * 0x1p-50
    }

    mutating func fits(_ rules: SchemaNode.TextRules, _ text: UnsafeRawBufferPointer) -> Bool {
        var fits = true
        if rules.least != nil || rules.most != nil {
            guard spend(text.count / 8) else { return false }
            let length = text.reduce(0) { $0 + ($1 & 0xc0 != 0x80 ? 1 : 0) }
            if let least = rules.least, length < least { fits = refuse("must have at least \(least) characters") }
            if let most = rules.most, length > most { fits = refuse("must have at most \(most) characters") }
        }
        if let pattern = rules.pattern {
            guard let isMatch = match(pattern, text) else { return false }
            if !isMatch { fits = refuse("must match the pattern \(rules.patternText)") }
        }
        if checksFormats, let format = rules.format {
            guard spend(text.count / 8) else { return false }
            if !format.fits(text) { fits = refuse("must be \(format.phrase)") }
        }
        return fits
    }

    /// Returns whether the pattern matches a part of the text; nil if the validation has used up its allowed work.
    mutating func match(_ pattern: TextPattern, _ text: UnsafeRawBufferPointer) -> Bool? {
        guard spend((text.count / 8 + 1) * pattern.width) else { return nil }
        return pattern.matches(text)
    }

    // MARK: Arrays

    mutating func fits(_ rules: SchemaNode.ArrayRules, _ value: JSONValue, _ marks: Marks?) -> Bool {
        var fits = true
        var (index, contained) = (0, 0)
        var known = NameTable()
        var isUnique = true
        for element in value.elements ?? JSONElements() {
            guard spend(1) else { return false }
            path.append(.element(index))
            let schema = index < rules.prefix.count ? rules.prefix[index] : rules.items
            if let schema {
                fits = self.fits(schema, element, nil) && fits
                marks?.seen[index] = true
            }
            if rules.isUnique, isUnique {
                var buffer = ByteBuffer()
                isUnique = CanonicalValue.append(element, to: &buffer) && known.insert(buffer.bytes).isNew
                if !isUnique { refuse("repeats an earlier item, but items must differ") }
                _ = spend(buffer.count)
            }
            if let contains = rules.contains, isQuietly(contains, element) {
                contained += 1
                marks?.seen[index] = true
            }
            path.removeLast()
            index += 1
        }
        fits = fits && isUnique
        if rules.contains != nil, contained < rules.minContained ?? 1 {
            fits = refuse(
                "must contain at least \(rules.minContained ?? 1) items of the kind that `contains` describes"
            )
        }
        if rules.contains != nil, let most = rules.maxContained, contained > most {
            fits = refuse("must contain at most \(most) items of the kind that `contains` describes")
        }
        if let least = rules.least, index < least { fits = refuse("must have at least \(least) items") }
        if let most = rules.most, index > most { fits = refuse("must have at most \(most) items") }
        return fits
    }

    // MARK: Objects

    mutating func fits(_ rules: SchemaNode.ObjectRules, _ value: JSONValue, _ marks: Marks?) -> Bool {
        let members = value.members ?? []
        guard spend(members.count) else { return false }
        var fits = true
        var found = Array(repeating: false, count: rules.required.count)
        for (index, member) in members.enumerated() {
            if let number = rules.required.number(of: member.name) { found[number] = true }
            path.append(.member(member.name))
            fits = self.fits(rules, member.name, member.value, index, marks) && fits
            path.removeLast()
            if isOut { return false }
        }
        for (number, isThere) in found.enumerated() where !isThere {
            fits = refuse("lacks the required property `\(Self.quoted(rules.required.text(number)))`")
        }
        if let least = rules.least, members.count < least { fits = refuse("must have at least \(least) properties") }
        if let most = rules.most, members.count > most { fits = refuse("must have at most \(most) properties") }
        guard rules.dependentNames.count + rules.dependentSchemas.count > 0 else { return fits }
        return dependencies(rules, value, members.map(\.name), marks) && fits
    }

    static func quoted(_ name: String) -> String { name.beginning(ofBytes: 64) }

    /// Checks one member of an object against the rules for objects, and records problems.
    private mutating func fits(
        _ rules: SchemaNode.ObjectRules,
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        _ index: Int,
        _ marks: Marks?
    ) -> Bool {
        var fits = true
        var isKnown = false
        guard spend(1 + name.count / 8) else { return false }
        if let number = rules.names.number(of: name) {
            isKnown = true
            fits = self.fits(rules.schemas[number], value, nil)
        }
        for (pattern, schema) in rules.patterns {
            guard let isMatch = match(pattern, name) else { return false }
            if !isMatch { continue }
            isKnown = true
            fits = self.fits(schema, value, nil) && fits
        }
        if !isKnown, !rules.isOpen, let additional = rules.additional {
            isKnown = true
            if schema.nodes[additional].always == false {
                fits = refuse("is a property that is not allowed")
            } else {
                fits = self.fits(additional, value, nil) && fits
            }
        }
        if isKnown || rules.isOpen { marks?.seen[index] = true }
        if let names = rules.propertyNames, !isName(name, names) { fits = refuse("has a name that is not allowed") }
        return fits
    }

    /// Returns whether the name of a member, taken as a JSON string, matches the schema of `propertyNames`.
    private mutating func isName(_ name: UnsafeRawBufferPointer, _ schema: Int) -> Bool {
        guard spend(name.count) else { return false }
        var text = ByteBuffer()
        text.append(json: name)
        return JSONParser.read(text.bytes) { isQuietly(schema, $0) } ?? false
    }

    private mutating func dependencies(
        _ rules: SchemaNode.ObjectRules,
        _ value: JSONValue,
        _ names: [UnsafeRawBufferPointer],
        _ marks: Marks?
    ) -> Bool {
        var fits = true
        var there = NameTable()
        for name in names { there.insert(name) }
        for name in names {
            if let number = rules.dependentNames.number(of: name) {
                for wanted in rules.dependentRequired[number] {
                    guard spend(1) else { return false }
                    var wanted = wanted
                    if wanted.withUTF8({ there.number(of: UnsafeRawBufferPointer($0)) }) != nil { continue }
                    fits = refuse("lacks the property `\(Self.quoted(wanted))`, which `\(shortened(name))` requires")
                }
            }
            if let number = rules.dependentSchemaNames.number(of: name) {
                fits = self.fits(rules.dependentSchemas[number], value, marks) && fits
            }
        }
        return fits
    }

    /// Checks the members or elements that no other rule has evaluated, and marks them in `marks`. Returns whether all
    /// of them match.
    mutating func unseen(_ node: SchemaNode, _ value: JSONValue, _ marks: Marks) -> Bool {
        var fits = true
        if let schema = node.object?.unevaluated, let members = value.members {
            for (index, member) in members.enumerated() where !marks.seen[index] {
                path.append(.member(member.name))
                fits = self.fits(schema, member.value, nil) && fits
                path.removeLast()
                marks.seen[index] = true
            }
        }
        if let schema = node.array?.unevaluated, let elements = value.elements {
            for (index, element) in elements.enumerated() where !marks.seen[index] {
                path.append(.element(index))
                fits = self.fits(schema, element, nil) && fits
                path.removeLast()
                marks.seen[index] = true
            }
        }
        return fits
    }
}
