package import Shared

extension Catalogue {
    /// The models of 1min.ai that the relay can serve, as known when this version of the relay was built.
    package static let oneMin = Catalogue(
        OneMinModels.table.utf8.split(separator: UInt8(ascii: "\n")).compactMap { Model(line: $0) },
        family: ShortNames.family,
        fullID: ShortNames.id,
        shortName: ShortNames.name
    )
}
