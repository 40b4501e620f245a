import Engine
import Glibc
import Shared
import UsageRecords

/// The command that the program's arguments select, such as `serve` or `check`.
enum Command: Equatable {
    case serve
    /// Checks the settings, of `file` if it is not nil. If `asks` is true, also asks the vendors and all other servers. If
    /// `isStrict` is true, warnings make the check fail.
    case check(asks: Bool, isStrict: Bool, file: String?)
    /// Checks the settings, and has the running relay read them again.
    case reload
    case config
    /// Lists the models that callers may name. If `isLive` is true, first reads the vendors' current model lists.
    case models(isLive: Bool, isJSON: Bool)
    /// Lists the vendors' quirks that the running relay remembers.
    case quirks(isJSON: Bool)
    /// Lists the known callers with their budgets and usage, as the running relay has them.
    case keys(isJSON: Bool)
    /// Creates a key for a caller. The string is the NAME in `KEY_<NAME>_TOKEN`.
    case key(String, isJSON: Bool)
    /// Prints the keys of members of a family, which its secret computes.
    case memberKeys(MemberKeys.Request)
    /// Prints how much one caller has used of each of its limits. First gives back an amount, such as `3.20 usd`, if
    /// there is one.
    case limits(LimitTable.Subject, givingBack: String?, isJSON: Bool)
    /// Prints the usage of the last days, from the usage records.
    case usage(UsageReportQuery, isJSON: Bool)
    /// Prints the bill of the request with this id, from the usage records.
    case bill(String, isJSON: Bool)
    case health
    case heal
    /// Prints the help of one command; nil for the help of all commands and settings.
    case help(of: CommandHelp?)
    case version

    /// Parses the arguments; nil if they are invalid. No argument means `serve`.
    init?(arguments: [String]) {
        if let help = CommandHelp.asked(arguments) {
            self = .help(of: help)
            return
        }
        var given = CommandArguments(arguments)
        guard let command = Command(&given), given.isEmpty else { return nil }
        self = command
    }

    /// Parses the arguments, and takes those that the command understands.
    private init?(_ given: inout CommandArguments) {
        switch given.takeWord() {
        case "serve": self = .serve
        case "check":
            self = .check(asks: given.take("--ask"), isStrict: given.take("--strict"), file: given.takeWord())
        case "config": self = .config
        case "reload": self = .reload
        case "models" where given.take("--quirks"): self = .quirks(isJSON: given.take("--json"))
        case "models": self = .models(isLive: given.take("--live"), isJSON: given.take("--json"))
        case "keys": self = .keys(isJSON: given.take("--json"))
        case "key":
            guard let name = given.takeWord() else { return nil }
            if let request = MemberKeys.Request(of: name, &given) {
                self = .memberKeys(request)
                return
            }
            self = .key(name, isJSON: given.take("--json"))
        case "limits":
            let digest = given.takeValue(of: "--digest").map { LimitTable.Subject.digest($0) }
            guard let subject = digest ?? given.takeWord().map({ .name($0) }) else { return nil }
            let (amount, isJSON) = (given.takeValue(of: "--give-back"), given.take("--json"))
            if digest != nil, amount != nil { return nil }
            self = .limits(subject, givingBack: amount, isJSON: isJSON)
        case "usage":
            if let id = given.takeValue(of: "--bill") {
                self = .bill(id, isJSON: given.take("--json"))
                return
            }
            let (group, days) = (given.takeValue(of: "--by"), given.takeValue(of: "--days"))
            guard let question = UsageReport.question(by: group, days: days) else { return nil }
            self = .usage(question, isJSON: given.take("--json"))
        case "health": self = .health
        case "heal": self = .heal
        case "help": self = .help(of: nil)
        case "version": self = .version
        case nil where given.take("--help") || given.take("-h"): self = .help(of: nil)
        case nil: self = given.take("--version") ? .version : .serve
        default: return nil
        }
    }

    /// Runs the command that this process's arguments select. Returns only if the command is `serve` and the settings
    /// are valid; otherwise ends the process. `remote` is nil without a remote settings document.
    static func settingsToServe() -> (settings: Settings, outcome: Settings.Outcome, remote: Settings.Remote?) {
        guard let command = Command(arguments: Array(CommandLine.arguments.dropFirst())) else {
            end(.usage, errors: CommandHelp.mistake(Array(CommandLine.arguments.dropFirst())))
        }
        command.runWithoutSettings()
        var file = command == .serve ? SettingsSource.File.ofService : .orInstalled
        var isCheck = command == .reload
        if case .check(_, _, let named) = command {
            isCheck = true
            if let named { file = .named(named) }
        }
        var remote: Settings.Remote?
        // Before the threads of a download. A signal meanwhile ends the relay, also as a container's first process.
        if command == .serve { Signals.prepare() }
        let outcome = Settings.ofProcess(Vendors.catalogues, &remote, in: file) {
            command == .serve && Signals.isEndWanted
        }
        if command == .serve, Signals.isEndWanted { end(.success) }
        if command == .config { print(SettingsListing(outcome.effective).content) }
        if isCheck { print("settings: \(outcome.sources)\n") }
        let isToServe = command == .serve || isCheck
        let storage = isToServe ? StorageCheck.problems(of: outcome.effective, outcome.usageDatabase) : []
        let problems = (outcome.problems + storage).byPlace
        // A warning about no setting concerns a relay that serves.
        let warnings = outcome.warnings.filter { isToServe || $0.name != nil }
        let reports = [problems.report("problem"), warnings.report("warning")].joined()
        guard let settings = outcome.settings, problems.isEmpty else { end(.configuration, errors: reports) }
        switch command {
        case .check(let asks, let isStrict, _): check(settings, outcome, asks: asks, isStrict: isStrict, reports)
        case .reload:
            run("reload", reports) {
                let process = try RelayProcess.reload()
                end(.success, "process \(process) reads the settings again; its log has the result\n", errors: reports)
            }
        case .config: end(.success, errors: reports)
        case .models(let isLive, let isJSON):
            let live = isLive ? VendorLists(settings) : nil
            let failures = live?.failures.map { "models: \($0)\n" }.joined() ?? ""
            show("models", isJSON: isJSON, reports + failures) {
                ModelTable(settings, Vendors.catalogues, live: live)
            }
        case .quirks(let isJSON): show("models", isJSON: isJSON, reports) { try OperatorList(.quirks, settings) }
        case .keys(let isJSON): show("keys", isJSON: isJSON, reports) { try OperatorList(.keys, settings) }
        case .memberKeys(let request):
            run("key", reports) {
                let keys = try MemberKeys(request, settings)
                end(.success, try keys.write(to: request.output), errors: reports + keys.warning)
            }
        case .limits(let subject, let amount, let isJSON):
            show("limits", isJSON: isJSON) {
                try LimitTable(subject, settings, catalogues: Vendors.catalogues, givingBack: amount)
            }
        case .usage(let question, let isJSON):
            show("usage", isJSON: isJSON, reports) { try UsageReport(question, settings) }
        case .bill(let id, let isJSON): show("usage", isJSON: isJSON, reports) { try BillReport(id, settings) }
        default: return (settings, outcome, remote)
        }
    }

    /// Runs the command and ends the process, if the command needs no settings.
    private func runWithoutSettings() {
        switch self {
        case .help(let command): Self.end(.success, command?.usage ?? CommandHelp.whole)
        case .version: Self.end(.success, Product.description)
        case .health:
            guard let problem = checkHealth(.ofProcess()).problem else { Self.end(.success) }
            Self.end(.failure, errors: "health: \(problem)\n")
        case .heal: Self.end(killIfStuck(.ofProcess()) ? .success : .failure)
        case .key(let name, _) where name.asInstance == "DEFAULT":
            Self.end(.usage, errors: "key: \(SettingFamily.reasonOfDefaults)\n")
        case .key(let name, let isJSON):
            guard let key = NewKey(name) else {
                Self.end(.usage, errors: "key: the NAME must consist of letters, digits, - and _\n")
            }
            Self.end(.success, isJSON ? key.json : key.lines, errors: key.warning)
        case .serve: MallocTunables.apply(arguments: CommandLine.unsafeArgv)
        case .check, .config, .reload, .models, .quirks, .keys, .memberKeys, .limits, .usage, .bill: break
        }
    }

    /// Ends the process with what `body` says, or with its failure.
    private static func run(_ command: String, _ reports: String, _ body: () throws -> Never) -> Never {
        do {
            try body()
        } catch {
            let failure = error as? CommandFailure
            let text = failure?.text ?? (error as? UsageFailure)?.cause ?? "\(error)"
            end(failure?.isMistake ?? false ? .usage : .failure, errors: "\(reports)\(command): \(text)\n")
        }
    }

    private static func show(
        _ command: String,
        isJSON: Bool,
        _ reports: String = "",
        _ report: () throws -> any Report
    ) -> Never {
        run(command, reports) {
            let report = try report()
            end(
                .success,
                isJSON ? report.json.text + "\n" : report.text(isColoured: TextTable.isColoured),
                errors: reports
            )
        }
    }

    private static func check(
        _ settings: Settings,
        _ outcome: Settings.Outcome,
        asks: Bool,
        isStrict: Bool,
        _ reports: String
    ) -> Never {
        var report = settings.checkReport(beside: outcome.effective, warnings: outcome.warnings.count)
        var status = isStrict && !outcome.warnings.isEmpty ? ExitStatus.configuration : .success
        var responses: ProviderCheck?
        if asks {
            let asked = ProviderCheck(settings, given: outcome.givenNames) {
                Vendors.questions($0, settings, client: $1)
            }
            let servers = ServerCheck(settings)
            report += asked.text + servers.text
            if !(asked.isGood && servers.isGood) { status = .unavailable }
            responses = asked
        }
        // The client's connections must not be closed after their event loop has ended.
        withExtendedLifetime(responses) { end(status, report, errors: reports) }
    }

    /// The exit codes, as `sysexits.h` defines them.
    private enum ExitStatus: Int32 {
        case success = 0
        case failure = 1
        case usage = 64
        case unavailable = 69
        case output = 74
        case configuration = 78
    }

    private static func end(_ status: ExitStatus, _ output: String = "", errors: String = "") -> Never {
        print(output, before: errors)
        _ = write(errors, to: 2)
        exit(status.rawValue)
    }

    /// Writes to the standard output. Ends the process if that fails, with the errors that would follow: nobody must take
    /// a part of the output for all of it.
    private static func print(_ text: String, before errors: String = "") {
        if write(text, to: 1) { return }
        _ = write("\(errors)relay: the output cannot be written: \(systemError)\n", to: 2)
        exit(ExitStatus.output.rawValue)
    }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        text.withBytes { writeAll($0, to: descriptor) }
    }
}
