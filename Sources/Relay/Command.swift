import Engine
import Glibc
import Shared

/// The command that the program's arguments select, such as `serve` or `check`.
enum Command: Equatable {
    case serve
    /// Checks the settings. If `asks` is true, also asks the vendors whether they accept the configured keys.
    case check(asks: Bool)
    case config
    /// Lists the models that callers may name. If `isLive` is true, first reads the vendors' current model lists.
    case models(isLive: Bool, isJSON: Bool)
    /// Creates a key for a caller. The string is the NAME in `KEY_<NAME>_TOKEN`.
    case key(String, isJSON: Bool)
    /// Prints how much one caller has used of each of its limits.
    case limits(LimitTable.Subject, isJSON: Bool)
    /// Prints the usage of the last days, from the usage records.
    case usage(UsageReportQuery, isJSON: Bool)
    /// Prints the bill of the request with this id, from the usage records.
    case bill(String, isJSON: Bool)
    case health
    case heal
    case help
    case version

    private static let names = [
        "serve", "check", "config", "models", "key", "limits", "usage", "health", "heal", "help", "version",
    ]

    /// Parses the arguments; nil if they are invalid. No argument means `serve`.
    init?(arguments: [String]) {
        if arguments.first == "usage", arguments.count > 2, arguments[1] == "--bill" {
            let isJSON = arguments.last == "--json"
            guard arguments.count == (isJSON ? 4 : 3) else { return nil }
            self = .bill(arguments[2], isJSON: isJSON)
            return
        }
        if arguments.first == "usage" {
            guard let (question, isJSON) = UsageReport.asked(arguments.dropFirst()) else { return nil }
            self = .usage(question, isJSON: isJSON)
            return
        }
        let isJSON = arguments.last == "--json"
        let words = isJSON ? Array(arguments.dropLast()) : arguments
        switch (words.first, words.count) {
        case ("models", 1): self = .models(isLive: false, isJSON: isJSON)
        case ("models", 2) where words[1] == "--live": self = .models(isLive: true, isJSON: isJSON)
        case ("key", 2): self = .key(words[1], isJSON: isJSON)
        case ("limits", 2) where !words[1].hasPrefix("-"): self = .limits(.name(words[1]), isJSON: isJSON)
        case ("limits", 3) where words[1] == "--digest": self = .limits(.digest(words[2]), isJSON: isJSON)
        case _ where isJSON: return nil
        case (nil, _), ("serve", 1): self = .serve
        case ("check", 1): self = .check(asks: false)
        case ("check", 2) where words[1] == "--ask": self = .check(asks: true)
        case ("config", 1): self = .config
        case ("health", 1): self = .health
        case ("heal", 1): self = .heal
        case ("help", 1), ("--help", 1), ("-h", 1): self = .help
        case ("version", 1), ("--version", 1): self = .version
        default: return nil
        }
    }

    /// Runs the command that this process's arguments select. Returns only if the command is `serve` and the settings
    /// are valid; otherwise ends the process. `remote` is nil without a remote settings document.
    static func settingsToServe() -> (settings: Settings, outcome: Settings.Outcome, remote: Settings.Remote?) {
        guard let command = Command(arguments: Array(CommandLine.arguments.dropFirst())) else {
            end(.usage, errors: mistake(Array(CommandLine.arguments.dropFirst())) + usage)
        }
        switch command {
        case .help:
            end(.success, usage + "\nSettings in the environment or .env file [default]\n" + SettingsTable.product.help)
        case .version: end(.success, "\(Product.name) \(Product.version)\n")
        case .health:
            guard let problem = checkHealth(.ofProcess()).problem else { end(.success) }
            end(.failure, errors: "health: \(problem)\n")
        case .heal: end(killIfStuck(.ofProcess()) ? .success : .failure)
        case .key(let name, let isJSON):
            guard let key = NewKey(name) else {
                end(.usage, errors: "key: the NAME must consist of letters, digits, - and _\n")
            }
            end(.success, isJSON ? key.json : key.lines)
        case .serve: MallocTunables.apply(arguments: CommandLine.unsafeArgv)
        case .check, .config, .models, .limits, .usage, .bill: break
        }
        var remote: Settings.Remote?
        let outcome = Settings.ofProcess(Vendors.catalogues, &remote)
        if command == .config { write(SettingsListing(outcome.effective).content, to: 1) }
        let isToServe = command == .serve || command == .check(asks: false) || command == .check(asks: true)
        let problems = outcome.problems + (isToServe ? StorageCheck.problems(of: outcome.effective) : [])
        let reports = [problems.report("problem"), outcome.warnings.report("warning")].joined()
        guard let settings = outcome.settings, problems.isEmpty else {
            end(.configuration, errors: reports)
        }
        switch command {
        case .check(let asks):
            let responses =
                asks
                ? ProviderCheck(settings, given: outcome.givenNames) { Vendors.questions($0, settings, client: $1) }
                : nil
            let isGood = responses?.isGood ?? true
            let report = "configuration: no problems\n" + settings.recordsSummary + (responses?.text ?? "")
            end(isGood ? .success : .unavailable, report, errors: reports)
        case .config: end(.success, errors: reports)
        case .models(let isLive, let isJSON):
            let live = isLive ? VendorLists(settings) : nil
            let table = ModelTable(settings, Vendors.catalogues, live: live)
            let failures = live?.failures.map { "models: \($0)\n" }.joined() ?? ""
            end(
                .success,
                isJSON ? table.json : table.text(isColoured: TextTable.isColoured),
                errors: reports + failures
            )
        case .limits(let subject, let isJSON): showLimits(subject, settings, isJSON: isJSON)
        case .usage(let question, let isJSON):
            do throws(UsageFailure) {
                let report = try UsageReport(question, settings)
                end(.success, isJSON ? report.json : report.text(isColoured: TextTable.isColoured), errors: reports)
            } catch {
                end(.failure, errors: "\(reports)usage: \(error.cause)\n")
            }
        case .bill(let id, let isJSON): showBill(id, settings, isJSON: isJSON, reports)
        default: return (settings, outcome, remote)
        }
    }

    private static func showBill(_ id: String, _ settings: Settings, isJSON: Bool, _ reports: String) -> Never {
        do throws(UsageFailure) {
            let report = try BillReport(id, settings)
            end(.success, isJSON ? report.json : report.text(isColoured: TextTable.isColoured), errors: reports)
        } catch {
            end(.failure, errors: "\(reports)usage: \(error.cause)\n")
        }
    }

    private static func showLimits(_ subject: LimitTable.Subject, _ settings: Settings, isJSON: Bool) -> Never {
        do throws(LimitTable.Failure) {
            let table = try LimitTable(subject, settings, catalogues: Vendors.catalogues)
            end(.success, isJSON ? table.json : table.text(isColoured: TextTable.isColoured))
        } catch {
            end(error.isMistake ? .usage : .failure, errors: "limits: \(error.text)\n")
        }
    }

    /// Returns a line that explains what is wrong with these invalid arguments.
    private static func mistake(_ arguments: [String]) -> String {
        let first = String(arguments[0].unicodeScalars.prefix(60).filter { $0.value >= 32 && $0.value != 127 })
        if first == "key" { return "key: expected a NAME, then optionally --json\n" }
        if first == "limits" { return "limits: expected a NAME or --digest DIGEST, then optionally --json\n" }
        if first == "check" { return "check: the only option is --ask\n" }
        if first == "models" { return "models: the only options are --live and --json\n" }
        if first == "usage" { return "usage: the only options are \(UsageReport.options), --bill ID and --json\n" }
        guard !names.contains(first) else { return "\(first): expected no further arguments\n" }
        let hint = nearest(to: arguments[0], among: names).map { "; did you mean \($0)?" } ?? ""
        return "\(first.hasPrefix("-") ? "unknown option" : "unknown command"): \(first)\(hint)\n"
    }

    private static let usage = """
        usage: \(Product.name) [COMMAND]

          serve        serve until SIGTERM (the default)
          check        check the settings; 0 if they are valid, else 78; --ask also checks that each provider accepts
                       each of its keys, with a call that costs nothing; else 69
          config       print the effective settings with their source, secrets masked
          models       list the models that callers may use, with their providers, features and
                       prices; --live reads the vendors' lists; --json
          key NAME     make a key for a caller and print its settings; --json
          limits NAME  show the units that a caller used of its limits, as counted in memcached; --json
          limits --digest DIGEST
                       the same for a caller without a NAME: its `caller` in the log, or the SHA-256 of its key
          usage        sum up the usage records of the last days: \(UsageReport.options), --json
          usage --bill ID
                       print what the calls of one request cost, line by line; --json
          health       check the relay on this machine; 0 if it responds, else 1
          heal         check three times; kill a relay that process 1 started and that accepts connections but never
                       responds (as the health check of a container, whose engine then restarts it)
          help         print this text and all settings (also --help)
          version      print the version (also --version)

        """

    /// The exit codes, as `sysexits.h` defines them.
    private enum ExitStatus: Int32 {
        case success = 0
        case failure = 1
        case usage = 64
        case unavailable = 69
        case configuration = 78
    }

    private static func end(_ status: ExitStatus, _ output: String = "", errors: String = "") -> Never {
        write(output, to: 1)
        write(errors, to: 2)
        exit(status.rawValue)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        _ = text.withBytes { writeAll($0, to: descriptor) }
    }
}
