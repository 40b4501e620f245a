import Engine
package import Shared

/// The stored files that a chat call names by the relay's file ids. The vendor knows the files by its own ids.
package struct KeptFiles: Sendable {
    /// The candidate for the call, limited to the key that uploaded the files.
    package private(set) var candidate: Candidate
    private var parts: [Attachment]
    /// The relay's id and the vendor's id of each file to which messages refer.
    private var names: [(id: String, vendorID: String)] = []

    /// Returns whether the call refers to stored files and the candidate's vendor can store files.
    package static func areNamed(in call: borrowing ChatCall, by candidate: Candidate) -> Bool {
        call.attachments.contains { $0.isStored } && candidate.files != nil
    }

    package init(_ call: ChatCall, _ candidate: Candidate, access: MediaAccess) async throws(APIError) {
        self.candidate = candidate
        parts = call.attachments
        for (index, part) in parts.enumerated() {
            guard case .file(let id) = part.source else { continue }
            // A caller with a passthrough key may name files that it uploaded to the vendor directly.
            if access.caller.kind == .passThrough, try await access.file(id) == nil {
                parts[index].source = .kept(id)
                continue
            }
            let (file, reader) = try await access.file(of: part, id, by: self.candidate)
            self.candidate = reader
            parts[index].source = .kept(file.vendorID)
            if !part.isOfWhole { names.append((id, file.vendorID)) }
        }
    }

    /// Returns the call with the vendor's file ids in place of the relay's file ids.
    ///
    /// Replaces the ids in the call's original request, too. Removes that request if not all ids can be replaced, or if
    /// an attachment belongs to the whole conversation.
    package func written(into call: ChatCall) -> ChatCall {
        var call = call
        call.attachments = parts
        call.addFilesOfWhole()
        guard !names.isEmpty, let original = call.original else { return call }
        var replaced = 0
        let body = original.body.replacing("messages") { append(messages: $0, to: &$1, &replaced) }
        call.original = replaced == names.count ? OriginalRequest(body, names: original.names) : nil
        return call
    }

    private func append(messages: RawJSON, to out: inout ByteBuffer, _ replaced: inout Int) {
        messages.append(to: &out) { message, out in
            message.append(to: &out) { member, out in
                guard member.name.equals("content"), member.value.isArray else { return false }
                out.append(#""content":"#)
                member.value.append(to: &out) { append(part: $0, to: &$1, &replaced) }
                return true
            }
        }
    }

    private func append(part: RawJSON, to out: inout ByteBuffer, _ replaced: inout Int) {
        guard part.isObject, part["file"]?.isObject ?? false else { return out.append(part.bytes) }
        part.append(to: &out) { member, out in
            guard member.name.equals("file"), member.value.isObject else { return false }
            out.append(#""file":"#)
            member.value.append(to: &out) { inner, out in
                guard inner.name.equals("file_id"), let id = inner.value.content,
                    let name = names.first(where: { $0.id.utf8.elementsEqual(id) })
                else { return false }
                replaced += 1
                out.append(#""file_id":"#, json: name.vendorID)
                return true
            }
            return true
        }
    }
}

extension ChatCall {
    /// Adds the attachments that belong to the whole conversation to the user's last message.
    fileprivate mutating func addFilesOfWhole() {
        let pieces = attachments.indices.filter { attachments[$0].isOfWhole }.map { ChatMessage.Piece.attachment($0) }
        guard !pieces.isEmpty else { return }
        original = nil
        guard let last = messages.lastIndex(where: { $0.role == .user }) else {
            return messages.append(ChatMessage(role: .user, content: pieces))
        }
        messages[last].content += pieces
    }
}

extension Attachment {
    fileprivate var isStored: Bool { if case .file = source { true } else { false } }
}
