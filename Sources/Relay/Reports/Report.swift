import Engine

/// The result that a command shows: a table for people, or JSON for programs.
protocol Report {
    func text(isColoured: Bool) -> String
    var json: JSONFragment { get }
}

/// The reason why a command has nothing to show, as text for the operator.
struct CommandFailure: Error {
    let text: String
    /// Whether the command's arguments are wrong; false if the settings, a server or a file are the problem.
    var isMistake = false
}
