import Engine
import Shared

/// A writer of progress lines about the members of a panel.
struct PanelFeedback {
    private let form: Panel.Feedback
    private let writer: any ProgressNotes

    init(_ form: Panel.Feedback, _ writer: any ProgressNotes) {
        self.form = form
        self.writer = writer
    }

    /// Sends a space at the start of the response, if progress lines are sent as its text or as its reasoning.
    func begin() {
        switch form {
        case .content: writer.begin(with: " ")
        case .reasoning: " ".withBytes { writer.write(0, .reasoning($0)) }
        case .comment, .off: return
        }
        writer.flush()
    }

    /// Sends the progress line of a panel member that has ended.
    func mark(_ member: String, isGood: Bool) {
        let line = PanelProgressLines.line(member, isGood: isGood)
        switch form {
        case .content: line.withBytes { writer.write(0, .text($0)) }
        case .reasoning: line.withBytes { writer.write(0, .reasoning($0)) }
        case .comment: String(line.dropLast()).withBytes { writer.write(0, .comment($0)) }
        case .off: return
        }
        writer.flush()
    }
}
