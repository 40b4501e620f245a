import Engine
package import Shared

/// The checked attachments of one chat, with the candidates for the chat and for transcribing audio.
package final class AttachmentPlan: Sendable {
    /// The candidate for the chat. If the chat uses stored files, it is limited to the key that uploaded the files.
    package let candidate: Candidate
    let uploader: any AssetUploader
    /// The candidate that transcribes audio; nil if the chat has no audio attachments.
    package let transcriber: Candidate?
    /// The stored files to which the chat refers, by the index of their attachment.
    let files: [Int: StoredFile]

    /// The names of the transcription models, in order of preference.
    private static let transcribers = [
        "whisper-1", "gpt-4o-transcribe", "elevenlabs-speech-to-text", "qwen3-asr-flash",
    ]

    package init(_ call: ChatCall, _ candidate: Candidate, access: MediaAccess) async throws(APIError) {
        guard candidate.model.features.contains(.chat), let uploader = candidate.assetUploader else {
            throw .unsupportedValue("messages", "this model supports only text")
        }
        self.uploader = uploader
        var chosen: Candidate?
        var files: [Int: StoredFile] = [:]
        for (index, part) in call.attachments.enumerated() {
            var isImage = part.kind == .image
            switch part.source {
            case .file(let id):
                let (file, reader) = try await access.file(of: part, id, by: chosen ?? candidate)
                guard file.isImage || !isImage else {
                    throw .image(part.param, "is not an image", code: "invalid_image_format")
                }
                chosen = reader
                files[index] = file
                isImage = file.isImage
            case .address where access.fetcher == nil: throw part.refusalAsNotFetched
            case .address, .data, .kept, .words: break
            }
            if isImage, !candidate.model.hasVision { throw Self.imageRefusal(part, access) }
        }
        self.candidate = chosen ?? candidate
        self.files = files
        transcriber = try Self.transcriber(call.attachments, access)
    }

    /// Returns the error for an image that the model does not accept.
    private static func imageRefusal(_ part: Attachment, _ access: MediaAccess) -> APIError {
        let others = access.registry.modelCatalog.names(for: access.caller) {
            $0.features.contains(.chat) && $0.hasVision
        }
        let hint = others.isEmpty ? "" : "; models that support them: \(others.joined(separator: ", "))"
        return .unsupportedValue("messages", "this model takes no pictures, and '\(part.param)' is one\(hint)")
    }

    private static func transcriber(_ attachments: [Attachment], _ access: MediaAccess) throws(APIError) -> Candidate? {
        guard let audio = attachments.first(where: { $0.kind == .audio }) else { return nil }
        for name in transcribers where !access.registry.modelCatalog[name].isEmpty {
            let all = try? access.registry.candidates(name, for: access.caller, able: .speechToText)
            if let transcriber = all?.firstHealthy, transcriber.transcription != nil { return transcriber }
        }
        throw .unsupportedValue(audio.param, "no transcription model is available to this key")
    }

    /// Returns the number of audio attachments. The chat needs at most this many transcription calls.
    package static func audioParts(in call: borrowing ChatCall) -> Int { call.attachments.count { $0.kind == .audio } }
}

extension StoredFile {
    private static let imageEndings: Set<String> = ["png", "jpg", "jpeg", "webp", "gif"]

    package var isImage: Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        return Self.imageEndings.contains(path[path.index(after: dot)...].lowercased())
    }
}
