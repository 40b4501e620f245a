import Engine
import Shared
import Upstream

/// Brings the parts of one chat to its vendor: some at once, what is the same only once, and what the vendor keeps
/// already not at all.
///
/// `@unchecked`: used on its request's loop only.
final class ChatParts: @unchecked Sendable {
    private let media: ChatMedia
    private let caller: Caller
    private let gateway: Gateway
    private let meter: Meter?
    private let parts: [ChatPart]
    /// What has been brought, by the places of `parts`.
    private var brought: [BroughtPart?]
    /// Those of them that the vendor was believed to keep.
    private var remembered: [Int: AssetCache.Key] = [:]

    /// Of one request.
    private static let atOnce = 5
    private static let nameLimitBytes = 100

    init(_ parts: [ChatPart], _ media: ChatMedia, _ caller: Caller, _ responder: Responder) {
        self.parts = parts
        self.media = media
        self.caller = caller
        gateway = responder.gateway
        meter = responder.meter
        brought = parts.map { _ in nil }
    }

    /// Whether the vendor was believed to keep some of them, which it may not do any more.
    var mayBeLost: Bool { !remembered.isEmpty }

    /// In the order of the parts.
    func bring() async throws(APIError) -> [BroughtPart] {
        let groups = try await groups()
        let results = try await allChoices(groups.count, atOnce: Self.atOnce) { (index) async throws(APIError) in
            try await self.bring(groups[index])
        }
        for (group, result) in zip(groups, results) {
            for place in group.places { brought[place] = result }
        }
        return brought.compactMap { $0 }
    }

    /// Brings anew what the vendor was believed to keep.
    func bringAgain() async throws(APIError) -> [BroughtPart] {
        for (place, key) in remembered {
            gateway.assets.forget(key)
            brought[place] = nil
        }
        remembered = [:]
        return try await bring()
    }

    // MARK: What is the same

    private struct Group: Sendable {
        let content: Digest
        var places: [Int]
    }

    private func groups() async throws(APIError) -> [Group] {
        var groups: [Group] = []
        for (place, part) in parts.enumerated() where brought[place] == nil {
            let digest: Digest
            switch part.source {
            case .data(let text): digest = try await text.digest(on: gateway.loop, by: gateway.worker)
            case .address(let address): digest = Digest(of: address)
            case .file(let id): digest = Digest(of: id)
            }
            let content = Digest(of: "\(part.kind) \(part.name ?? "") \(digest.base64url(characters: 43))")
            if let same = groups.firstIndex(where: { $0.content == content }) {
                groups[same].places.append(place)
            } else {
                groups.append(Group(content: content, places: [place]))
            }
        }
        return groups
    }

    // MARK: One of them

    private func bring(_ group: Group) async throws(APIError) -> BroughtPart {
        if Task.isCancelled { throw .clientLeft }
        let part = parts[group.places[0]]
        switch (part.source, part.kind) {
        case (.file, _): return stored(group.places[0])
        case (.address(let address), _): return try await fetched(address, group)
        case (.data(let text), .picture): return try await picture(text, group)
        case (.data(let text), .file): return try await file(text, group)
        case (.data(let text), .sound): return try await words(text, group)
        }
    }

    private func stored(_ place: Int) -> BroughtPart {
        guard let file = media.files[place] else { preconditionFailure("a file that was not opened") }
        return file.isPicture ? .picture(file.path) : .file(file.vendorID, name: Self.shown(file.name))
    }

    private func fetched(_ address: String, _ group: Group) async throws(APIError) -> BroughtPart {
        let param = parts[group.places[0]].param
        let picture = try await Picture.fetch(address, by: gateway.fetcher, param: param)
        let content = try await Digest(of: picture.bytes, on: gateway.loop, by: gateway.worker)
        return .picture(try await keep(group, content) { () throws(APIError) in try Self.named(picture, param) }.path)
    }

    private func picture(_ text: Base64Text, _ group: Group) async throws(APIError) -> BroughtPart {
        let param = parts[group.places[0]].param
        let asset = try await keep(group, group.content) { () async throws(APIError) in
            guard let bytes = try await text.decoded(on: self.gateway.loop, by: self.gateway.worker) else {
                throw .notBase64(param)
            }
            text.release()
            return try Self.named(try Picture(bytes, param: param), param)
        }
        return .picture(asset.path)
    }

    private static func named(_ picture: Picture, _ param: String) throws(APIError) -> NewAsset {
        guard picture.type != .svg else {
            throw .picture(param, "is an SVG, which is not a picture that models see", code: "invalid_image_format")
        }
        return NewAsset(
            bytes: picture.bytes,
            filename: "image.\(picture.type.fileExtension)",
            mediaType: picture.type.rawValue
        )
    }

    private func file(_ text: Base64Text, _ group: Group) async throws(APIError) -> BroughtPart {
        let part = parts[group.places[0]]
        let name = Self.shown(part.name ?? "file")
        let asset = try await keep(group, group.content) { () async throws(APIError) in
            let bytes = try await self.decoded(text, part.param)
            guard let type = MediaType(content: bytes.bytes), type.family == .document, type != .zip else {
                throw .value(
                    part.param,
                    "only PDF, Word, JSON, XML and plain text are taken as files",
                    code: "unsupported_value"
                )
            }
            let filename = type.fileName(name)
            let isTable = type == .text && filename.lowercased().hasSuffix(".csv")
            return NewAsset(bytes: bytes, filename: filename, mediaType: isTable ? "text/csv" : type.rawValue)
        }
        // A path in its place would be passed over by the vendor without a word.
        guard !asset.id.isEmpty else {
            throw failure(UpstreamError(.failed, cause: "the vendor's answer to an upload names no id"), part.param)
        }
        return .file(asset.id, name: name)
    }

    private func words(_ text: Base64Text, _ group: Group) async throws(APIError) -> BroughtPart {
        let param = parts[group.places[0]].param
        guard let listener = media.listener, let taker = listener.provider as? any TranscriptionProvider else {
            preconditionFailure("a sound that nobody hears")
        }
        let bytes = try await decoded(text, param)
        guard let type = MediaType(content: bytes.bytes), type == .wav || type == .mp3 else {
            throw .value(param, "it is neither WAV nor MP3")
        }
        let key = listener.credential.key
        let wanted = try taker.prepare(TranscriptionCall(plainOf: listener.name), for: listener.model, key: key)
        do throws(UpstreamError) {
            let sound = try await taker.keep(
                bytes,
                filename: "audio.\(type.fileExtension)",
                mediaType: type.rawValue,
                key: key
            )
            do throws(UpstreamError) {
                let transcript = try await wanted.transcript(of: sound)
                meter?.helped(by: listener.model.id, credits: transcript.credits)
                return .words(transcript.text)
            } catch {
                if error.mayBeBilled { meter?.helped(by: listener.model.id, credits: nil) }
                throw error
            }
        } catch {
            throw failure(error, param, listener.credential)
        }
    }

    private func decoded(_ text: Base64Text, _ param: String) async throws(APIError) -> Body {
        guard let bytes = try await text.decoded(on: gateway.loop, by: gateway.worker) else {
            throw .value(param, "it is not valid base64")
        }
        text.release()
        return bytes
    }

    // MARK: The vendor

    private struct NewAsset: Sendable {
        let bytes: Body
        let filename: String
        let mediaType: String
    }

    /// What the vendor keeps already, or what `make` makes of the group's content.
    private func keep(
        _ group: Group,
        _ content: Digest,
        _ make: () async throws(APIError) -> NewAsset
    ) async throws(APIError) -> KeptAsset {
        let credential = media.candidate.credential
        let key = AssetCache.Key(content, of: caller, account: credential.account)
        if let known = gateway.assets.asset(key, at: gateway.loop.nowNanoseconds) {
            for place in group.places { remembered[place] = key }
            return known
        }
        let new = try await make()
        do throws(UpstreamError) {
            let kept = try await media.keeper.keep(
                new.bytes,
                filename: new.filename,
                mediaType: new.mediaType,
                key: credential.key
            )
            gateway.assets.add(kept, key, at: gateway.loop.nowNanoseconds)
            return kept
        } catch {
            throw failure(error, parts[group.places[0]].param)
        }
    }

    /// What the client is told of an upload that failed.
    private func failure(_ error: UpstreamError, _ param: String, _ credential: Credential? = nil) -> APIError {
        var said = APIError(error, model: media.candidate.name, credential ?? media.candidate.credential)
        if error.kind == .badRequest { said.param = param }
        return said
    }

    /// A file's name without its path and what does not belong into a prompt.
    private static func shown(_ name: String) -> String {
        let last = name.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.last ?? Substring().utf8
        let plain = String(decoding: last.filter { $0 >= 32 && $0 != 127 }, as: UTF8.self)
        StepCount.add(2 * name.utf8.count)
        return plain.isEmpty ? "file" : plain.cut(toBytes: nameLimitBytes)
    }
}
