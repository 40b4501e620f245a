import Engine
import Glibc
import Shared

/// A process of this machine that runs this program, other than this process.
struct RelayProcess {
    let id: pid_t

    /// All processes that run this program and may be inspected, except this process.
    static var all: [RelayProcess] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        let program = program(of: "self")
        var found: [RelayProcess] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let id = pid_t(name), id != getpid() else { continue }
            if let program, Self.program(of: name) == program { found.append(RelayProcess(id: id)) }
        }
        return found
    }

    /// Has the only relay that serves on this machine read its settings again. Returns the id of its process.
    static func reload() throws(CommandFailure) -> pid_t {
        let serving = all.filter(\.serves)
        guard let first = serving.first else {
            throw CommandFailure(text: "no relay of this user runs; with systemd: sudo systemctl reload relay")
        }
        guard serving.count == 1 else {
            let ids = serving.map { "\($0.id)" }.joined(separator: ", ")
            throw CommandFailure(
                text: "\(serving.count) relays run; choose one of these processes with kill -HUP: \(ids)"
            )
        }
        guard kill(first.id, SIGHUP) == 0 else { throw CommandFailure(text: "process \(first.id): \(systemError)") }
        return first.id
    }

    /// Whether the process is a relay that serves, and not another command of the program.
    private var serves: Bool {
        guard let bytes = try? readSettingsFile("/proc/\(id)/cmdline") else { return false }
        let arguments = bytes.split(separator: 0).dropFirst().map { String(decoding: $0, as: UTF8.self) }
        return arguments.isEmpty || arguments == ["serve"]
    }

    /// The id of the parent process; nil if the process has ended.
    var parent: Int? {
        guard let bytes = try? readSettingsFile("/proc/\(id)/stat") else { return nil }
        // The name in parentheses may contain spaces and parentheses. The state and the parent follow it.
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[end...].split(separator: " ")
        return fields.count > 2 ? Int(fields[2]) : nil
    }

    /// Returns the path of a process's executable file; nil if the process is another user's or has ended.
    /// - Parameter name: the process ID as text, or `self`.
    private static func program(of name: String) -> String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(name)/exe", &path, path.count)
        guard count > 0 else { return nil }
        // An update replaces the file of a relay that runs.
        return String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self).replacing(
            " (deleted)",
            with: ""
        )
    }
}
