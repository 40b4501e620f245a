import Shared

/// The help of a command: each form in which it can be called, and what that does.
struct CommandHelp: Equatable, Sendable {
    private struct Form: Equatable {
        /// The command's name and its arguments.
        let words: String
        let lines: [String]

        init(_ words: String, _ lines: String...) {
            self.words = words
            self.lines = lines
        }
    }

    private let name: String
    private let forms: [Form]
    private let options: [String]
    /// The arguments that the command expects, as the end of a message.
    private let expected: String

    private init(
        _ name: String,
        options: [String] = [],
        expected: String = "expected no further arguments",
        _ forms: Form...
    ) {
        self.name = name
        self.options = options
        self.expected = expected
        self.forms = forms
    }

    private static let all = [
        CommandHelp("serve", Form("serve", "serve until SIGTERM (the default)")),
        CommandHelp(
            "check",
            options: ["--ask", "--strict"],
            expected: "expected at most one FILE, --ask and --strict",
            Form(
                "check [FILE]",
                "check the settings; 0 if they are valid, else 78; --strict: 78 also if there are warnings; --ask: also ask",
                "memcached, the database, the proxy, and each provider for its models with each of its keys, which costs",
                "nothing; 69 if one does not respond, or lacks a model"
            )
        ),
        CommandHelp(
            "reload",
            Form(
                "reload",
                "check the settings, then have the relay that runs on this machine read them again, as on SIGHUP;",
                "78 if they are invalid, 1 if no relay or several run"
            )
        ),
        CommandHelp("config", Form("config", "print the effective settings with their source, secrets masked")),
        CommandHelp(
            "models",
            options: ["--live", "--quirks", "--json"],
            expected: "the only options are --live or --quirks, and --json",
            Form(
                "models",
                "list the models that callers may use, with their providers, features and",
                "prices; --live reads the vendors' lists; --json; --quirks lists instead what the running relay",
                "has learned from refusals of vendors (with ADMIN_PASSWORD)"
            )
        ),
        CommandHelp(
            "key",
            options: ["--json", "--file", "--slug", "--expires", "--output"],
            expected: "expected a NAME, then optionally --json; or a NAME, then members or --file FILE",
            Form("key NAME", "make a key for a caller and print its settings; --json"),
            Form(
                "key NAME MEMBER ...",
                "print `name,key` of members of a family; --file FILE (a name a line), --slug (ann-lee of Ann Lee),",
                "--expires 2027-01-31 (their last day), --output FILE (which only its owner can read)"
            )
        ),
        CommandHelp(
            "keys",
            options: ["--json"],
            expected: "the only option is --json",
            Form(
                "keys",
                "list groups and keys with what is left of their budgets, costs, failures, last use and end, as the",
                "running relay knows them (with ADMIN_PASSWORD), the nearest to an end first; --json"
            )
        ),
        CommandHelp(
            "limits",
            options: ["--digest", "--give-back", "--json"],
            expected: "expected a NAME or --digest DIGEST, or NAME --give-back AMOUNT UNIT, then optionally --json",
            Form(
                "limits NAME",
                "show the units that a caller used of its limits, as counted in memcached; --json",
                "--give-back 3.20 usd gives back this amount before, in all its limits of the unit but those of models"
            ),
            Form(
                "limits --digest DIGEST",
                "the same for a caller without a NAME: its `caller` in the log, or the SHA-256 of its key"
            )
        ),
        CommandHelp(
            "usage",
            options: ["--by", "--days", "--bill", "--json"],
            expected: "the only options are \(UsageReport.options), --bill ID and --json",
            Form("usage", "sum up the usage records of the last days: \(UsageReport.options), --json"),
            Form("usage --bill ID", "print what the calls of one request cost, line by line; --json")
        ),
        CommandHelp("health", Form("health", "check the relay on this machine; 0 if it responds, else 1")),
        CommandHelp(
            "heal",
            Form(
                "heal",
                "check three times; kill a relay that process 1 started and that accepts connections but never",
                "responds (as the health check of a container, whose engine then restarts it)"
            )
        ),
        CommandHelp(
            "help",
            expected: "expected at most the name of a command",
            Form("help", "print this text and all settings (also --help)"),
            Form("help COMMAND", "print the text about one command (also COMMAND --help)")
        ),
        CommandHelp("version", Form("version", "print the version (also --version)")),
    ]

    /// Returns the help that arguments such as `help check` or `check --help` ask for; nil if they ask for none of one
    /// command.
    static func asked(_ arguments: [String]) -> CommandHelp? {
        let words = CommandArguments(arguments).words
        if arguments.contains(where: { $0 == "--help" || $0 == "-h" }) { return words.first.flatMap(named) }
        return arguments.count == 2 && words.first == "help" ? words.last.flatMap(named) : nil
    }

    private static func named(_ name: String) -> CommandHelp? { all.first { $0.name == name } }

    static var usage: String { "usage: \(Product.name) [COMMAND]\n\n" + all.map(\.text).joined() }

    static var whole: String {
        usage + "\nSettings in the environment or .env file [default]\n" + SettingsTable.product.help
    }

    var usage: String { "usage: \(Product.name) \(forms.map(\.words).joined(separator: " | "))\n\n" + text }

    private var text: String {
        forms.map { form in
            let isShort = form.words.utf8.count <= 11
            let head = isShort ? form.words + String(repeating: " ", count: 13 - form.words.utf8.count) : form.words
            let indent = "\n" + String(repeating: " ", count: 15)
            return "  " + head + (isShort ? "" : indent) + form.lines.joined(separator: indent) + "\n"
        }
        .joined()
    }

    /// Returns the message about invalid arguments, and the help of the command that they name.
    static func mistake(_ arguments: [String]) -> String {
        func shown(_ text: String) -> String {
            String(text.unicodeScalars.prefix(60).filter { $0.value >= 32 && $0.value != 127 })
        }
        let words = CommandArguments(arguments).words
        let isOption = arguments[0].hasPrefix("-") && !all.contains { $0.options.contains(arguments[0]) }
        // `help chek` asks for the help of a command.
        let word = words.first == "help" && arguments.count == 2 ? words.last : words.first
        let first = isOption ? arguments[0] : word ?? arguments[0]
        guard let command = named(first) else {
            let hint =
                first.hasPrefix("-") && ["config", "env", "file"].contains(where: first.contains)
                ? "set ENV_FILE to the path of a file of settings; `check FILE` checks one"
                : adviceOnSetting(first) ?? nearest(to: first, among: all.map(\.name)).map { "did you mean \($0)?" }
            let kind = first.hasPrefix("-") ? "unknown option" : "unknown command"
            return "\(kind): \(shown(first))\(hint.map { "; " + $0 } ?? "")\n" + usage
        }
        let unknown = arguments.first { $0.hasPrefix("-") && !command.options.contains($0) }
        let setting = unknown.flatMap(adviceOnSetting)
        guard let unknown, !command.options.isEmpty || setting != nil else {
            return "\(command.name): \(command.expected)\n\(command.usage)"
        }
        let near = nearest(to: unknown, among: command.options).map { "did you mean \($0)?" }
        let hint = setting ?? near ?? command.expected
        return "\(command.name): unknown option \(shown(unknown)); \(hint)\n\(command.usage)"
    }

    /// Returns advice on an option that has the name of a setting, such as `--port`; nil for others.
    private static func adviceOnSetting(_ option: String) -> String? {
        let name = String(option.drop { $0 == "-" }.prefix { $0 != "=" }).asInstance
        guard option.hasPrefix("--"), SettingsTable.product.globals.contains(where: { $0.name == name }) else {
            return nil
        }
        return "set \(name) in .env or in the environment"
    }
}
