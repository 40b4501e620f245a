import Shared

/// Returns the only panel of settings with these lines. Its members are `a` and `b`, its summary model is `s`.
func panel(_ lines: String...) -> Panel {
    var entries = [
        ("ANONYMOUS_MODELS", "all"), ("PROVIDER_X_KIND", "echo"), ("PROVIDER_X_MODELS", "a,b,s"),
        ("PANEL_P_MODELS", "a,b"), ("PANEL_P_SUMMARY_MODEL", "s"), ("PANEL_P_SUMMARY_PROMPT", "Sum up."),
    ]
    for line in lines {
        let parts = line.split(separator: "=", maxSplits: 1)
        entries.removeAll { $0.0 == "PANEL_P_\(parts[0])" }
        entries.append(("PANEL_P_\(parts[0])", String(parts[1])))
    }
    let read = Settings.read([.environment(entries)], [:], usableBytes: 16 << 30) { _ throws(FileProblem) in
        throw FileProblem(text: "no files", isAbsence: true)
    }
    guard let panel = read.settings?.panels.first else { preconditionFailure("\(read.problems)") }
    return panel
}
