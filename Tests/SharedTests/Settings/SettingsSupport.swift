import Shared
import Upstream

/// Reads settings like a process with these variables.
///
/// - Parameter files: the contents of files that `X_FILE` may name.
func outcome(
    environment: [(String, String)] = [],
    file: String? = nil,
    files: [String: String] = [:],
    table: SettingsTable = .product,
    usableBytes: Int = 16 << 30
) -> Settings.Outcome {
    var sources = [SettingsSource.environment(environment)]
    if let file { sources.append(.document(named: ".env", Array(file.utf8))) }
    return Settings.read(sources, [.onemin: .oneMin], table: table, usableBytes: usableBytes) {
        path throws(FileProblem) in
        guard let text = files[path] else { throw FileProblem(text: "No such file or directory", isAbsence: true) }
        return Array(text.utf8)
    }
}

extension Settings.Outcome {
    var problemTexts: [String] { problems.map(\.description) }
    var warningTexts: [String] { warnings.map(\.description) }
}
