import Engine
@preconcurrency import Glibc  // environ

/// The unchecked variables from one source of settings, such as a `.env` file.
package struct SettingsSource: Sendable {
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let value: String
        /// The variable's line in its file, from 1; nil in the process environment.
        package let line: Int?

        package init(_ name: String, _ value: String, line: Int? = nil) {
            self.name = name
            self.value = value
            self.line = line
        }
    }

    /// The name of the source: `environment`, or the name of a file.
    package let name: String
    /// Whether the source is the process environment. Its unknown variables are usually those of other programs.
    package let isEnvironment: Bool
    package let entries: [Entry]
    package let problems: [SettingsProblem]
    /// Whether it is unknown what some lines of the source set.
    let lacksLines: Bool

    package init(
        name: String,
        isEnvironment: Bool,
        entries: [Entry],
        problems: [SettingsProblem] = [],
        lacksLines: Bool = false
    ) {
        self.name = name
        self.isEnvironment = isEnvironment
        self.entries = entries.map { entry in
            Self.otherNames[entry.name].map { Entry($0, entry.value, line: entry.line) } ?? entry
        }
        self.problems = problems
        self.lacksLines = lacksLines || entries.isEmpty && !problems.isEmpty
    }

    /// Variable names of other relay programs, each with the name that this relay uses instead.
    private static let otherNames = ["config_url": "CONFIG_URL", "secret_key": "CONFIG_KEY"]

    package static func environment(_ variables: [(String, String)]) -> SettingsSource {
        SettingsSource(name: "environment", isEnvironment: true, entries: variables.map { Entry($0.0, $0.1) })
    }

    /// Parses a settings document in dotenv syntax, which has this name in messages.
    package static func document(named name: String, _ bytes: [UInt8]) -> SettingsSource {
        if let text = problem(ofFile: bytes) {
            let problem = SettingsProblem(location: name, name: nil, text: text)
            return SettingsSource(name: name, isEnvironment: false, entries: [], problems: [problem])
        }
        var parser = DotEnvParser(bytes)
        parser.parse()
        let problems = parser.mistakes.map { mistake in
            SettingsProblem(location: "\(name):\(mistake.line)", name: mistake.name, text: mistake.text)
        }
        return SettingsSource(
            name: name,
            isEnvironment: false,
            entries: parser.entries,
            problems: problems,
            lacksLines: parser.lacksLines
        )
    }

    /// Returns what is wrong with the form of a whole settings file; nil if it can be read line by line.
    private static func problem(ofFile bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            return "this file is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
        }
        if !bytes.contains(10), bytes.dropLast().contains(13) { return "save this file with LF at the ends of lines" }
        let first = bytes.withoutByteOrderMark.first { $0 > 32 }
        return first == UInt8(ascii: "{")
            ? "this file is JSON; write each setting on a line of its own, as NAME=value" : nil
    }

    func location(of entry: Entry) -> String { entry.line.map { "\(name):\($0)" } ?? name }

    /// The file from which a command reads the settings.
    package enum File: Sendable {
        /// The file that `ENV_FILE` names, or else `.env`.
        case ofService
        /// The same file, or else the installed package's.
        case orInstalled
        case named(String)
    }

    private static let installedPath = "/etc/relay/relay.env"

    /// Returns the process environment and the file. The environment overrides the file. A missing `.env` is ignored,
    /// but a missing file that was named is a problem.
    package static func ofProcess(_ file: File) -> [SettingsSource] {
        let environment = processEnvironment()
        let setting = environment.entries.last { $0.name == "ENV_FILE" && !$0.value.isEmpty }?.value
        let named: String? = if case .named(let path) = file { path } else { nil }
        var path = named ?? setting ?? ".env"
        if case .orInstalled = file, setting == nil, access(path, F_OK) != 0, access(installedPath, F_OK) == 0 {
            path = installedPath
        }
        do throws(FileProblem) {
            return [environment, document(named: path, try readSettingsFile(path))]
        } catch {
            if path == ".env" && error.isAbsence { return [environment] }
            let isSetting = named == nil && setting != nil
            let advice = path == installedPath ? "; run the command with sudo, or as the user relay" : error.advice
            let problem = SettingsProblem(
                location: isSetting ? "environment" : path,
                name: isSetting ? "ENV_FILE" : nil,
                text: "\(path): \(error.text)\(advice)"
            )
            return [environment, SettingsSource(name: path, isEnvironment: false, entries: [], problems: [problem])]
        }
    }

    private static func processEnvironment() -> SettingsSource {
        var variables: [(String, String)] = []
        var next = environ
        while let text = next.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                variables.append((String(line[..<equals]), String(line[line.index(after: equals)...])))
            }
            next += 1
        }
        return .environment(variables)
    }
}

extension [SettingsSource] {
    /// The name of the settings file that has settings; nil if there is none.
    var file: String? {
        first { !$0.isEnvironment && $0.name != "CONFIG_URL" && !$0.entries.isEmpty }?.name
    }

    /// The places of the sources: files with their whole paths.
    var places: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let folder = getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? "."
        let files = filter { !$0.isEnvironment }.map { source in
            source.name == "CONFIG_URL" || source.name.hasPrefix("/") ? source.name : "\(folder)/\(source.name)"
        }
        if files.isEmpty { return "the environment alone; there is no .env in \(folder)" }
        return "\(files.joined(separator: ", ")) and the environment"
    }
}

/// The reason why a file could not be read.
package struct FileProblem: Error, Equatable, Sendable {
    package let text: String
    package let isAbsence: Bool
    /// The system's error number (`errno`); 0 if the system reported no error.
    private let code: Int32

    package init(text: String, isAbsence: Bool, code: Int32 = 0) {
        self.text = text
        self.isAbsence = isAbsence
        self.code = code
    }

    /// Advice for the operator that completes an error message; empty if there is none.
    package var advice: String {
        switch code {
        case ENOENT: "; put the file there, or correct the path"
        case EACCES: "; make it readable for user \(geteuid()), or set another path"
        case EISDIR: "; set the path of a file, this is a folder"
        default: ""
        }
    }
}

/// Returns the content of a file or a pipe, such as `/dev/stdin`. Throws if it is unreadable or larger than 4 MiB, or if
/// the pipe does not end within five seconds.
package func readSettingsFile(_ path: String) throws(FileProblem) -> [UInt8] {
    let limitBytes = 4 << 20
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileProblem(text: systemError, isAbsence: errno == ENOENT, code: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 65_536)
    let end = LoopTime.current().adding(seconds: 5)
    while true {
        let left = end.milliseconds(since: LoopTime.current())
        var pipe = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // Regular files are always ready.
        guard poll(&pipe, 1, Int32(clamping: left)) != 0 else {
            throw FileProblem(text: "a pipe that does not end", isAbsence: false)
        }
        let count = read(descriptor, &room, room.count)
        if count < 0, errno == EAGAIN || errno == EINTR { continue }
        if count == 0 { return bytes }
        guard count > 0 else { throw FileProblem(text: systemError, isAbsence: false, code: errno) }
        bytes += room[..<count]
        guard bytes.count <= limitBytes else {
            throw FileProblem(text: "larger than \(limitBytes >> 20) MB", isAbsence: false)
        }
    }
}
