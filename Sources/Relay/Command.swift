import Engine
import Glibc
import Shared

/// The command that the program's arguments select, such as `serve` or `check`.
enum Command: Equatable {
    case serve
    /// Checks the settings.
    case check(CheckOptions)
    case config
    /// Lists the models that callers may name. If `isLive` is true, first reads the vendors' current model lists.
    case models(isLive: Bool, isJSON: Bool)
    /// Lists the vendors' quirks that the running relay remembers.
    case quirks(isJSON: Bool)
    /// Creates a key for a caller. The string is the NAME in `KEY_<NAME>_TOKEN`.
    case key(String, isJSON: Bool)
    /// Prints how much one caller has used of each of its limits.
    case limits(LimitTable.Subject, isJSON: Bool)
    /// Gives back an amount of a caller's limits, such as `3.20 usd`, and prints them.
    case giveBack(String, LimitTable.Subject, isJSON: Bool)
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
        let isJSON = arguments.contains("--json")
        let words = arguments.filter { $0 != "--json" }
        switch (words.first, words.count) {
        case ("models", 1): self = .models(isLive: false, isJSON: isJSON)
        case ("models", 2) where words[1] == "--live": self = .models(isLive: true, isJSON: isJSON)
        case ("models", 2) where words[1] == "--quirks": self = .quirks(isJSON: isJSON)
        case ("key", 2) where !words[1].hasPrefix("-"): self = .key(words[1], isJSON: isJSON)
        case ("limits", 2) where !words[1].hasPrefix("-"): self = .limits(.name(words[1]), isJSON: isJSON)
        case ("limits", 3) where words[1] == "--digest": self = .limits(.digest(words[2]), isJSON: isJSON)
        case ("limits", 4...5) where !words[1].hasPrefix("-") && words[2] == "--give-back":
            self = .giveBack(words[3...].joined(separator: " "), .name(words[1]), isJSON: isJSON)
        case _ where isJSON: return nil
        case (nil, _), ("serve", 1): self = .serve
        case ("check", _):
            guard let options = CheckOptions(words.dropFirst()) else { return nil }
            self = .check(options)
        case ("config", 1): self = .config
        case ("health", 1): self = .health
        case ("heal", 1): self = .heal
        case ("help", 1), ("--help", 1), ("-h", 1): self = .help(of: nil)
        case ("version", 1), ("--version", 1): self = .version
        default: return nil
        }
    }

    /// Runs the command that this process's arguments select. Returns only if the command is `serve` and the settings
    /// are valid; otherwise ends the process. `remote` is nil without a remote settings document.
    static func settingsToServe() -> (settings: Settings, outcome: Settings.Outcome, remote: Settings.Remote?) {
        guard let command = Command(arguments: Array(CommandLine.arguments.dropFirst())) else {
            end(.usage, errors: CommandHelp.mistake(Array(CommandLine.arguments.dropFirst())))
        }
        switch command {
        case .help(let command): end(.success, command?.usage ?? CommandHelp.whole)
        case .version: end(.success, Product.description)
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
        case .check, .config, .models, .quirks, .limits, .giveBack, .usage, .bill: break
        }
        let options: CheckOptions? = if case .check(let options) = command { options } else { nil }
        let file: SettingsSource.File =
            command == .serve ? .ofService : options?.file.map { .named($0) } ?? .orInstalled
        var remote: Settings.Remote?
        let outcome = Settings.ofProcess(Vendors.catalogues, &remote, in: file)
        if command == .config { write(SettingsListing(outcome.effective).content, to: 1) }
        if options != nil { write("settings: \(outcome.sources)\n", to: 1) }
        let isToServe = command == .serve || options != nil
        let problems = (outcome.problems + (isToServe ? StorageCheck.problems(of: outcome.effective) : [])).byPlace
        // A warning about no setting concerns a relay that serves.
        let warnings = outcome.warnings.filter { isToServe || $0.name != nil }
        let reports = [problems.report("problem"), warnings.report("warning")].joined()
        guard let settings = outcome.settings, problems.isEmpty else { end(.configuration, errors: reports) }
        switch command {
        case .check(let options): check(settings, outcome, options, reports)
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
        case .quirks(let isJSON): showQuirks(settings, isJSON: isJSON, reports)
        case .limits(let subject, let isJSON): showLimits(subject, settings, isJSON: isJSON)
        case .giveBack(let amount, let subject, let isJSON):
            showLimits(subject, settings, isJSON: isJSON, givingBack: amount)
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

    private static func showQuirks(_ settings: Settings, isJSON: Bool, _ reports: String) -> Never {
        do throws(QuirkReport.Failure) {
            let report = try QuirkReport(settings)
            end(.success, isJSON ? report.json : report.text(isColoured: TextTable.isColoured), errors: reports)
        } catch {
            end(.failure, errors: "\(reports)models: \(error.text)\n")
        }
    }

    private static func check(
        _ settings: Settings,
        _ outcome: Settings.Outcome,
        _ options: CheckOptions,
        _ reports: String
    ) -> Never {
        var report = settings.checkReport(beside: outcome.effective, warnings: outcome.warnings.count)
        var status = options.isStrict && !outcome.warnings.isEmpty ? ExitStatus.configuration : .success
        var responses: ProviderCheck?
        if options.asks {
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

    private static func showBill(_ id: String, _ settings: Settings, isJSON: Bool, _ reports: String) -> Never {
        do throws(UsageFailure) {
            let report = try BillReport(id, settings)
            end(.success, isJSON ? report.json : report.text(isColoured: TextTable.isColoured), errors: reports)
        } catch {
            end(.failure, errors: "\(reports)usage: \(error.cause)\n")
        }
    }

    private static func showLimits(
        _ subject: LimitTable.Subject,
        _ settings: Settings,
        isJSON: Bool,
        givingBack amount: String? = nil
    ) -> Never {
        do throws(LimitTable.Failure) {
            let table = try LimitTable(subject, settings, catalogues: Vendors.catalogues, givingBack: amount)
            end(.success, isJSON ? table.json : table.text(isColoured: TextTable.isColoured))
        } catch {
            end(error.isMistake ? .usage : .failure, errors: "limits: \(error.text)\n")
        }
    }

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
