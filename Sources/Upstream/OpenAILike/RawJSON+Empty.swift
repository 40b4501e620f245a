import Engine

extension RawJSON {
    /// Returns whether this chunk of a vendor contains nothing new for the client. It is then not forwarded.
    /// - Parameter pieces: the chunk's choices; must be without output, finish reason and new role.
    func isEmptyChunk(_ pieces: [ChoiceChunk]) -> Bool {
        for member in members {
            switch member.name {
            case "id", "object", "created", "model", "system_fingerprint", "service_tier", "usage": continue
            case "choices":
                for (piece, choice) in zip(pieces, member.value.elements)
                where !piece.isDropped && !choice.isEmptyChoice(piece) {
                    return false
                }
            default: if !member.value.isNothing { return false }
            }
        }
        return true
    }

    private func isEmptyChoice(_ piece: ChoiceChunk) -> Bool {
        for member in members {
            switch member.name {
            case "index": continue
            case "delta":
                for part in member.value.members where !part.value.isNothing && !part.name.equals("tool_calls") {
                    guard piece.role == .left, part.name.equals("role") else { return false }
                }
            default: if !member.value.isNothing { return false }
            }
        }
        return true
    }

    /// Whether the value is null or an empty string.
    private var isNothing: Bool { isNull || content?.isEmpty ?? false }
}
