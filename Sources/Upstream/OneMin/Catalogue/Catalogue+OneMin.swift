package import Shared

extension Catalogue {
    /// 1min.ai's models when this version was made, as far as some endpoint serves them.
    package static let oneMin = Catalogue(
        OneMinModels.table.utf8.split(separator: UInt8(ascii: "\n")).compactMap { Model(line: $0) },
        family: ShortNames.family,
        fullID: ShortNames.id,
        shortName: ShortNames.name
    )
}
