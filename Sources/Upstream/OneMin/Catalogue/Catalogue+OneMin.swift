package import Shared

extension Catalogue {
    /// The models of 1min.ai that this version of the relay knows.
    package static let oneMin = Catalogue(
        OneMinModels.table.utf8.split(separator: UInt8(ascii: "\n")).compactMap { Model(line: $0) },
        family: ShortNames.family,
        fullID: ShortNames.id,
        shortName: ShortNames.name
    )
}
