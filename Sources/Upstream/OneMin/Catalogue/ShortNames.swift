package import Shared

/// Short names for models of 1min.ai with long ids, such as `phoenix`.
enum ShortNames {
    private static let flux = "black-forest-labs/"
    private static let ids = [
        "phoenix": "6b645e3a-d64f-4341-a6d8-7a3690fbf042", "lightning-xl": "b24e16ff-06e3-43eb-8d33-4416c2d75876",
        "anime-xl": "e71a1c2f-4f80-4800-934f-2c68979d8cc8", "diffusion-xl": "1e60896f-3c26-4296-8ecc-53e2afecc132",
        "kino-xl": "aa77f04e-3eec-4034-9c07-d0f619684628", "vision-xl": "5c232a9e-9061-4777-980a-ddc8e65647c6",
        "albedo-base-xl": "2067ae52-33fd-4a82-bb92-c2c55e7d2786",
    ]

    /// Returns the model id for a short name; nil if the text is no short name.
    @Sendable static func id(of name: String) -> String? { name.hasPrefix("flux-") ? flux + name : ids[name] }

    /// Returns the family of a model that has a short name: FLUX or Leonardo; nil without a short name. The short name
    /// of a removed model passes to another model of its family.
    @Sendable static func family(of id: String) -> String? {
        if id.hasPrefix(flux + "flux-") { return flux }
        return ids.values.contains(id) ? "leonardo" : nil
    }

    /// Returns the short name for a model id; nil if the model has no short name.
    @Sendable static func name(of id: String) -> String? {
        id.hasPrefix(flux + "flux-") ? String(id.dropFirst(flux.count)) : ids.first { $0.value == id }?.key
    }
}

extension Catalogue {
    /// The models of 1min.ai that this version of the relay knows.
    package static let oneMin = Catalogue(
        OneMinModels.table.utf8.split(separator: UInt8(ascii: "\n")).compactMap { Model(line: $0) },
        family: ShortNames.family,
        fullID: ShortNames.id,
        shortName: ShortNames.name
    )
}
