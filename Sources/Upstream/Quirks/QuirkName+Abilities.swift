extension QuirkName {
    /// The abilities that the model lacks in every call; empty for other quirks.
    fileprivate var lack: Abilities {
        switch self {
        case .noObjects: .objects
        case .noSchemas: .schemas
        case .noChoices: .choices
        case .noStops: .stops
        case .noTools: [.tools, .functions, .toolChoice]
        case .noAddresses: .mediaAddresses
        case .noCompaction: .compaction
        case .noSearch: .searchOptions
        default: []
        }
    }
}

extension Quirk {
    var isNamed: Bool { if case .named = self { true } else { false } }

    /// The needs of the calls that meet the lack of an ability; nil for a quirk that is no lack.
    var needs: Abilities? {
        guard case .named(let name) = self else { return nil }
        switch name {
        case .noForcing, .noRequired: return .toolChoice
        case .otherPathWithTools: return [.tools, .functions]
        case .noAddresses: return .inlineMedia
        case .otherPath: return []
        default: return name.lack.isEmpty ? nil : name.lack
        }
    }

    /// Returns whether calls with these needs meet the lack that the quirk is.
    func concerns(_ needs: Abilities) -> Bool {
        self == .named(.otherPath) || !(self.needs ?? []).isDisjoint(with: needs)
    }
}

extension Set<Quirk> {
    func contains(_ name: QuirkName) -> Bool { !isEmpty && contains(.named(name)) }

    func contains(anyOf names: [QuirkName]) -> Bool { !isEmpty && names.contains { contains(.named($0)) } }

    mutating func insert(_ name: QuirkName) { insert(.named(name)) }

    mutating func remove(_ name: QuirkName) { remove(.named(name)) }

    /// The abilities that a model with these quirks lacks in every call.
    var lacking: Abilities {
        reduce(into: []) { if case .named(let name) = $1 { $0.formUnion(name.lack) } }
    }

    /// Whether the field `strict` of tools is left out, so that the relay checks the arguments of calls.
    var dropsStrict: Bool {
        contains { if case .field(let change) = $0 { change.path.last == "strict" } else { false } }
    }
}

extension Sequence<Quirk> {
    var betas: [String] { compactMap { if case .beta(let beta) = $0 { beta } else { nil } } }

    /// The quirks that have code of their own.
    var named: Set<Quirk> { Set(filter(\.isNamed)) }
}

extension Sequence<QuirkFinding> {
    var quirks: Set<Quirk> { reduce(into: []) { $0.formUnion($1.quirks) } }
}
