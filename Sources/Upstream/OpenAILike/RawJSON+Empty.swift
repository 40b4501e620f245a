import Engine

extension RawJSON {
    /// The chunk, whose choices bring no text, no call and no end, has nothing else either, known or not.
    func isEmptyChunk(_ pieces: [ChoicePiece]) -> Bool {
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

    private func isEmptyChoice(_ piece: ChoicePiece) -> Bool {
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

    /// Null, or an empty text.
    private var isNothing: Bool { isNull || content?.isEmpty ?? false }
}
