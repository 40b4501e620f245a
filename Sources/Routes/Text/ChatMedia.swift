import Engine
import Shared
import Upstream

/// Who takes what a chat brings besides text; known, and checked, before anything is counted, fetched or uploaded.
final class ChatMedia: Sendable {
    /// With the key that the call's files were uploaded with, if it has some.
    let candidate: Registry.Candidate
    let keeper: any AssetKeeper
    /// Who writes down what is said; nil: nothing is said.
    let listener: Registry.Candidate?
    /// Files that were uploaded before, by the places of their parts.
    let files: [Int: StoredFile]

    /// What is asked for words, in this order, as far as the caller may use it.
    private static let listeners = [
        "whisper-1", "gpt-4o-transcribe", "elevenlabs-speech-to-text", "qwen3-asr-flash",
    ]

    init(
        _ call: ChatCall,
        _ candidate: Registry.Candidate,
        _ caller: Caller,
        _ gateway: Gateway
    ) async throws(APIError) {
        guard candidate.model.features.contains(.chat), let keeper = candidate.provider as? any AssetKeeper else {
            throw .value("messages", "this model takes text only", code: "unsupported_value")
        }
        self.keeper = keeper
        var chosen: Registry.Candidate?
        var files: [Int: StoredFile] = [:]
        let owner = FileOwner(caller, secret: gateway.settings.fileSecret)
        for (place, part) in call.parts.enumerated() {
            var isPicture = part.kind == .picture
            switch part.source {
            case .file(let id):
                guard let owner, let file = try await gateway.file(id, of: owner)?.file else {
                    throw .value(part.param, "there is no such file")
                }
                guard let reader = gateway.registry.candidate(chosen ?? candidate, reading: file),
                    chosen == nil || chosen?.credential.key == reader.credential.key
                else {
                    throw .value(part.param, "the model's provider does not have this file", code: "unsupported_value")
                }
                guard file.isPicture || !isPicture else {
                    throw .picture(part.param, "is not a picture", code: "invalid_image_format")
                }
                chosen = reader
                files[place] = file
                isPicture = file.isPicture
            case .address where gateway.fetcher == nil:
                throw .picture(
                    part.param,
                    "has to be a data: URL: pictures are not fetched here",
                    code: "invalid_image_url"
                )
            case .address, .data: break
            }
            if isPicture, !candidate.model.hasVision {
                throw .value("messages", "this model takes no pictures", code: "unsupported_value")
            }
        }
        self.candidate = chosen ?? candidate
        self.files = files
        listener = try Self.listener(call.parts, caller, gateway)
    }

    private static func listener(
        _ parts: [ChatPart],
        _ caller: Caller,
        _ gateway: Gateway
    ) throws(APIError) -> Registry.Candidate? {
        guard let sound = parts.first(where: { $0.kind == .sound }) else { return nil }
        for name in listeners where !gateway.registry.offers[name].isEmpty {
            guard let listener = try? gateway.registry.candidate(name, for: caller, able: .speechToText),
                listener.provider is any TranscriptionProvider
            else { continue }
            return listener
        }
        throw .value(sound.param, "no model that hears may be used here", code: "unsupported_value")
    }

    /// How often the listener is asked, at most.
    static func sounds(in call: ChatCall) -> Int { call.parts.count { $0.kind == .sound } }
}

extension StoredFile {
    private static let pictureEndings: Set<String> = ["png", "jpg", "jpeg", "webp", "gif"]

    var isPicture: Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        return Self.pictureEndings.contains(path[path.index(after: dot)...].lowercased())
    }
}
