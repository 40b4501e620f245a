import Engine

/// Quirks of OpenAI-compatible servers: how requests are changed.
extension Mends {
    // The token limit gets its other name.
    static let newBound = Mends(rawValue: 1)
    static let oldBound = Mends(rawValue: 2)
    // These fields are left out.
    static let noStreamOptions = Mends(rawValue: 4)
    static let noTemperature = Mends(rawValue: 8)
    static let noTopP = Mends(rawValue: 16)
    static let noPresencePenalty = Mends(rawValue: 32)
    static let noFrequencyPenalty = Mends(rawValue: 64)
    static let noParallel = Mends(rawValue: 128)
    static let noStrict = Mends(rawValue: 256)
    static let noNames = Mends(rawValue: 512)
    static let noEffort = Mends(rawValue: 1_024)
    /// The effort is `none` if there are tools.
    static let effortNone = Mends(rawValue: 2_048)
    /// `seed` becomes `random_seed`.
    static let randomSeed = Mends(rawValue: 4_096)
    /// The role `developer` becomes `system`.
    static let noDeveloper = Mends(rawValue: 8_192)
    /// All ids of tool calls become nine letters and digits.
    static let shortIDs = Mends(rawValue: 16_384)
    /// Content that is null or missing becomes an empty text.
    static let emptyContent = Mends(rawValue: 32_768)
    /// Text parts are joined to one text.
    static let joinedContent = Mends(rawValue: 65_536)
    /// Adjacent messages of one role are merged, and system messages come first.
    static let mergedTurns = Mends(rawValue: 131_072)
    /// Messages with tool calls get the reasoning that led to them.
    static let thoughtsBack = Mends(rawValue: 262_144)
    /// Messages lose their reasoning.
    static let noReasoning = Mends(rawValue: 1 << 48)
    /// Messages and their calls lose `extra_content`.
    static let noExtraContent = Mends(rawValue: 1 << 49)
    /// Messages with a signature that the relay wrote, so with another vendor's reasoning, lose their reasoning.
    static let noForeignThoughts = Mends(rawValue: 1 << 50)
    /// Ids of tool calls that are over 40 bytes long become nine letters and digits.
    static let noLongIDs = Mends(rawValue: 1 << 51)
    /// Requests of the Responses API neither ask for reasoning nor contain it.
    static let noThoughts = Mends(rawValue: 1 << 34)
    /// The lowest bit of the fields that do not change the response.
    private static let firstSpare: UInt32 = 40
    /// The lowest bit of the supported efforts. Other efforts become the nearest of them.
    private static let firstEffort: UInt32 = 24

    static let ofMessages: Mends = [
        .noNames, .noDeveloper, .shortIDs, .emptyContent, .joinedContent, .mergedTurns, .thoughtsBack, .noReasoning,
        .noExtraContent, .noForeignThoughts, .noLongIDs,
    ]

    static func isLong(_ id: String) -> Bool { id.utf8.count > 40 }

    static let efforts: [StaticString] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    static func effort(_ place: Int) -> Mends { Mends(rawValue: 1 << (firstEffort + UInt32(place))) }

    static let allEfforts = Mends(rawValue: 127 << firstEffort)

    /// Fields that do not change the response. They are left out if a server does not know them.
    static let spareFields: [StaticString] = [
        "store", "prompt_cache_key", "prompt_cache_retention", "user", "metadata", "service_tier", "verbosity",
        "safety_identifier",
    ]

    static func spare(_ place: Int) -> Mends { Mends(rawValue: 1 << (firstSpare + UInt32(place))) }

    static let allSpare = Mends(rawValue: 255 << firstSpare)

    func leavesOut(_ field: UnsafeRawBufferPointer) -> Bool {
        !isDisjoint(with: Self.allSpare)
            && Self.spareFields.indices.contains { contains(Self.spare($0)) && field.equals(Self.spareFields[$0]) }
    }

    static let ofEffort: Mends = [.noEffort, .effortNone, .allEfforts]

    /// Returns the nearest supported effort, the lower one of two; nil if no list is known or the effort has an unknown
    /// name.
    func nearest(to effort: UnsafeRawBufferPointer) -> StaticString? {
        guard !isDisjoint(with: Self.allEfforts), let place = Self.efforts.firstIndex(where: { effort.equals($0) })
        else { return nil }
        let known = Self.efforts.indices.filter { contains(Self.effort($0)) }
        return known.min { (abs($0 - place), $0) < (abs($1 - place), $1) }.map { Self.efforts[$0] }
    }
}
