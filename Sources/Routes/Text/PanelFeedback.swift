import Calls
import Engine
import Shared
import Upstream

/// Shows the client of a stream which members have ended, in the form that the panel's settings select.
struct PanelFeedback {
    private let form: Panel.Feedback
    private let writer: any ChatStreamWriter

    init(_ form: Panel.Feedback, _ writer: any ChatStreamWriter) {
        self.form = form
        self.writer = writer
    }

    /// Sends a space at once, so that the client sees that the stream has begun. Does nothing if the feedback is a
    /// comment or off.
    func begin() {
        switch form {
        case .content: writer.begin(with: " ")
        case .reasoning: " ".withBytes { writer.write(0, .reasoning($0)) }
        case .comment, .off: return
        }
        writer.flushNow()
    }

    /// Writes the progress line of a member that has ended.
    func mark(_ member: String, isGood: Bool) {
        let line = PanelProgressLines.line(member, isGood: isGood)
        switch form {
        case .content: line.withBytes { writer.write(0, .text($0)) }
        case .reasoning: line.withBytes { writer.write(0, .reasoning($0)) }
        case .comment: String(line.dropLast()).withBytes { writer.write(0, .comment($0)) }
        case .off: return
        }
        writer.flushNow()
    }
}
