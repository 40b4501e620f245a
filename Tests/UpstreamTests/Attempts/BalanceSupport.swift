import Engine
import Limits
import Shared
import Support

@testable import Upstream

/// Returns providers named `v0`, `v1`, ... of one model, each with its settings.
func providers(
    _ lines: [String],
    _ more: String = ""
) -> (modelCatalog: [ModelCatalog.ServedModel], rules: BalanceSettings) {
    let settings = settings(lines, more)
    return (ModelCatalog(settings, [:])["m"], settings.balance)
}

/// Returns settings with such providers and further lines.
func settings(_ lines: [String], _ more: String = "") -> Settings {
    var file = "ANONYMOUS_MODELS=all\n\(more)\n"
    for (index, line) in lines.enumerated() {
        file += "PROVIDER_V\(index)_KIND=echo\nPROVIDER_V\(index)_MODELS=m\n"
        for setting in line.split(separator: " ") { file += "PROVIDER_V\(index)_\(setting)\n" }
    }
    let entries = file.split(separator: "\n").map { line -> (String, String) in
        let parts = line.split(separator: "=", maxSplits: 1)
        return (String(parts[0]), String(parts[1]))
    }
    let read = Settings.read([.environment(entries)], [:], usableBytes: 16 << 30) { _ throws(FileProblem) in
        throw FileProblem(text: "no files", isAbsence: true)
    }
    guard let settings = read.settings else { preconditionFailure("\(read.problems)") }
    return settings
}

/// The candidates of a test, on one loop.
struct Scene {
    let balance: Balance
    let candidates: Candidates
    let loop: EventLoop

    init(_ lines: [String], _ more: String = "", keys: [Int: KeyRing] = [:], on loop: EventLoop) {
        let (modelCatalog, rules) = providers(lines, more)
        self.init(modelCatalog, Balance(rules), keys, loop)
    }

    private init(
        _ modelCatalog: [ModelCatalog.ServedModel],
        _ balance: Balance,
        _ keys: [Int: KeyRing],
        _ loop: EventLoop
    ) {
        let all = modelCatalog.map { servedModel in
            Candidate(
                server: Billing.Server("v\(servedModel.provider)", name: "m"),
                provider: ScriptedVendor(named: "v\(servedModel.provider)", [[[]]]),
                model: anyModel,
                keys: keys[servedModel.provider],
                fixed: nil,
                offeredBy: servedModel.provider,
                rank: servedModel.rank,
                loop: loop
            )
        }
        self.balance = balance
        self.loop = loop
        candidates = Candidates(CandidateList(all), balance, for: Caller(anonymousWith: []))
    }

    /// Makes one request. A provider in `failures` fails with these errors in turn, and then repeats the last one.
    func ask(_ failures: [String: [UpstreamError]] = [:]) async -> AskedProvider {
        let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
        let script = Script(failures)
        var asked = AskedProvider()
        do throws(UpstreamError) {
            try await candidates.serve(script, candidates.attempts(billing: admission.billing))
        } catch {
            asked.failure = error.kind
            asked.summary = error.summary
            asked.retryAfterSeconds = error.retryAfterSeconds
        }
        asked.names = script.names
        asked.attempts = admission.billing.attempts
        asked.noted = admission.billing.failures.count
        return asked
    }

    func names(_ count: Int) async -> String {
        var names: [String] = []
        for _ in 0..<count { names += await ask().names }
        return names.joined(separator: " ")
    }
}

/// A candidate for which nothing was prepared.
struct ScriptedFit: AttemptFit {
    let candidate: Candidate
    var keepsDeadline: Bool { false }
}

extension Candidates {
    /// Calls candidates until one of them has served the request.
    func serve<Task: UpstreamTask>(_ task: Task, _ attempts: Attempts) async throws(UpstreamError) -> Task.Response {
        let begun = try await attempt(task, attempts)
        let response = begun.response
        begun.served()
        return response
    }
}

struct AskedProvider: Sendable {
    var names: [String] = []
    var attempts = 0
    var noted = 0
    var failure: UpstreamError.Kind?
    var summary: String?
    var retryAfterSeconds: Int?
}

extension UpstreamError {
    static func scripted(_ kind: Kind, retryAfter seconds: Int? = nil) -> UpstreamError {
        var error = UpstreamError(kind, cause: "scripted")
        error.retryAfterSeconds = seconds
        return error
    }
}

/// The script of a test, with the names of the called providers.
///
/// `@unchecked`: used on one loop only.
private final class Script: UpstreamTask, @unchecked Sendable {
    var names: [String] = []
    private var failures: [String: [UpstreamError]]

    init(_ failures: [String: [UpstreamError]]) { self.failures = failures }

    func fit(_ candidate: Candidate, at index: Int) -> ScriptedFit { ScriptedFit(candidate: candidate) }

    func open(_ fit: ScriptedFit, _ attempt: Attempt) throws(UpstreamError) {
        let (name, credential) = (fit.candidate.provider.name, attempt.credential)
        names.append(credential.key.isEmpty ? name : "\(name).\(credential.label ?? "")")
        guard let list = failures[name], let failure = list.first else { return }
        if list.count > 1 { failures[name] = Array(list.dropFirst()) }
        throw failure
    }
}
