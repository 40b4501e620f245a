import Engine

/// Quirks of OpenAI-compatible servers: how requests are changed.
extension LearnedQuirks {
    // The token limit gets its other name.
    static let newBound = LearnedQuirks(rawValue: 1)
    static let oldBound = LearnedQuirks(rawValue: 2)
    // These fields are left out.
    static let noStreamOptions = LearnedQuirks(rawValue: 4)
    static let noTemperature = LearnedQuirks(rawValue: 8)
    static let noTopP = LearnedQuirks(rawValue: 16)
    static let noPresencePenalty = LearnedQuirks(rawValue: 32)
    static let noFrequencyPenalty = LearnedQuirks(rawValue: 64)
    static let noParallel = LearnedQuirks(rawValue: 128)
    static let noStrict = LearnedQuirks(rawValue: 256)
    static let noNames = LearnedQuirks(rawValue: 512)
    static let noEffort = LearnedQuirks(rawValue: 1_024)
    /// The effort is `none` if there are tools.
    static let effortNone = LearnedQuirks(rawValue: 2_048)
    /// `seed` becomes `random_seed`.
    static let randomSeed = LearnedQuirks(rawValue: 4_096)
    /// The role `developer` becomes `system`.
    static let noDeveloper = LearnedQuirks(rawValue: 8_192)
    /// All ids of tool calls become nine letters and digits.
    static let shortIDs = LearnedQuirks(rawValue: 16_384)
    /// Content that is null or missing becomes an empty text.
    static let emptyContent = LearnedQuirks(rawValue: 32_768)
    /// Text parts are joined to one text.
    static let joinedContent = LearnedQuirks(rawValue: 65_536)
    /// Adjacent messages of one role are merged, and system messages come first.
    static let mergedTurns = LearnedQuirks(rawValue: 131_072)
    /// Messages with tool calls get the reasoning that led to them.
    static let reasoningBack = LearnedQuirks(rawValue: 262_144)
    /// Messages lose their reasoning.
    static let noReasoning = LearnedQuirks(rawValue: 1 << 48)
    /// Messages and their calls lose `extra_content`.
    static let noExtraContent = LearnedQuirks(rawValue: 1 << 49)
    /// Messages with a signature that the relay wrote, so with another vendor's reasoning, lose their reasoning.
    static let noForeignReasoning = LearnedQuirks(rawValue: 1 << 50)
    /// Ids of tool calls that are over 40 bytes long become nine letters and digits.
    static let noLongIDs = LearnedQuirks(rawValue: 1 << 51)
    /// Requests of the Responses API neither ask for reasoning nor contain it.
    static let noReasoningFields = LearnedQuirks(rawValue: 1 << 34)
    /// The lowest bit of the fields that do not change the response.
    private static let firstSpare: UInt32 = 40
    /// The lowest bit of the supported efforts. Other efforts become the nearest of them.
    private static let firstEffort: UInt32 = 24

    static let ofMessages: LearnedQuirks = [
        .noNames, .noDeveloper, .shortIDs, .emptyContent, .joinedContent, .mergedTurns, .reasoningBack, .noReasoning,
        .noExtraContent, .noForeignReasoning, .noLongIDs,
    ]

    static func isLong(_ id: String) -> Bool { id.utf8.count > 40 }

    static let efforts: [StaticString] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    static func effort(_ position: Int) -> LearnedQuirks {
        LearnedQuirks(rawValue: 1 << (firstEffort + UInt32(position)))
    }

    static let allEfforts = LearnedQuirks(rawValue: 127 << firstEffort)

    /// Fields that do not change the response. They are left out if a server does not know them.
    static let spareFields: [StaticString] = [
        "store", "prompt_cache_key", "prompt_cache_retention", "user", "metadata", "service_tier", "verbosity",
        "safety_identifier",
    ]

    static func spare(_ position: Int) -> LearnedQuirks {
        LearnedQuirks(rawValue: 1 << (firstSpare + UInt32(position)))
    }

    static let allSpare = LearnedQuirks(rawValue: 255 << firstSpare)

    func leavesOut(_ field: UnsafeRawBufferPointer) -> Bool {
        !isDisjoint(with: Self.allSpare)
            && Self.spareFields.indices.contains { contains(Self.spare($0)) && field.equals(Self.spareFields[$0]) }
    }

    static let ofEffort: LearnedQuirks = [.noEffort, .effortNone, .allEfforts]

    /// Returns the nearest supported effort, or the lower one if two are equally near; nil if no list is known or the
    /// effort has an unknown name.
    func nearest(to effort: UnsafeRawBufferPointer) -> StaticString? {
        guard !isDisjoint(with: Self.allEfforts), let position = Self.efforts.firstIndex(where: { effort.equals($0) })
        else { return nil }
        let known = Self.efforts.indices.filter { contains(Self.effort($0)) }
        return known.min { (abs($0 - position), $0) < (abs($1 - position), $1) }.map { Self.efforts[$0] }
    }
}
