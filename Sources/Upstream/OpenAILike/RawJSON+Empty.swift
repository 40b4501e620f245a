import Engine

extension RawJSON {
    /// Returns whether a chunk contains nothing to forward. `pieces` must contain neither output nor finish reasons nor
    /// new roles. The function checks that the other members, known or unknown, are empty, too.
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
