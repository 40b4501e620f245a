import Engine
import Shared

/// A loader that uploads the attachments of one chat to its vendor, several at a time.
final class AttachmentLoader: OnLoop, @unchecked Sendable {
    private let plan: AttachmentPlan
    private let access: MediaAccess
    private var call: Attempt
    private let parts: [Attachment]
    /// The attachments that the vendor can use, by their index in `parts`; nil for one that is not ready yet.
    private var loaded: [Attachment?]
    /// The first failure of an upload, or of a transcription for lack of capacity; nil if there was none.
    private var vendorFailure: UpstreamError?
    /// The cache keys of the earlier uploads that this call uses again, by the attachment's index in `parts`.
    private var remembered: [Int: AssetCache.Key] = [:]

    /// The maximum number of concurrent uploads for one request.
    private static let atOnce = 5
    private static let nameLimitBytes = 100

    init(_ parts: [Attachment], _ plan: AttachmentPlan, access: MediaAccess, call: Attempt) {
        self.parts = parts
        self.plan = plan
        self.access = access
        self.call = call
        loaded = parts.map { _ in nil }
    }

    /// Whether the chat uses files of earlier uploads, which the vendor might have deleted in the meantime.
    var mayBeLost: Bool { !remembered.isEmpty }

    /// Uploads the attachments that the vendor does not have, and transcribes audio. Returns all attachments in the
    /// order of the request.
    func load() async throws(APIError) -> [Attachment] {
        let groups = try await groups()
        // A call with limited capacity makes one upload after the other.
        let atOnce = call.isBounded ? 1 : Self.atOnce
        let results = try await allChoices(groups.count, atOnce: atOnce) { (index) async throws(APIError) in
            try await self.load(groups[index])
        }
        for (group, result) in zip(groups, results) {
            for index in group.indices { loaded[index] = result }
        }
        return loaded.compactMap { $0 }
    }

    /// Uploads those attachments again for which `load()` used files of earlier uploads. Returns all attachments in
    /// the order of the request.
    func loadAgain(by call: Attempt) async throws(APIError) -> [Attachment] {
        self.call = call
        for (index, key) in remembered {
            access.assets.forget(key)
            loaded[index] = nil
        }
        remembered = [:]
        return try await load()
    }

    // MARK: Groups of equal attachments

    private struct Group: Sendable {
        let content: Digest
        /// The first attachment with this content.
        let part: Attachment
        var indices: [Int]
    }

    private func groups() async throws(APIError) -> [Group] {
        var groups: [Group] = []
        for (index, part) in parts.enumerated() where loaded[index] == nil {
            let digest: Digest
            switch part.source {
            case .data(let text): digest = try await text.digest(on: access.loop, by: access.worker)
            case .address(let address): digest = Digest(of: address)
            case .file(let id): digest = Digest(of: id)
            case .kept(let name), .words(let name): digest = Digest(of: name)
            }
            let content = Digest(of: "\(part.kind) \(part.name ?? "") \(digest.base64url(characters: 43))")
            if let same = groups.firstIndex(where: { $0.content == content }) {
                groups[same].indices.append(index)
            } else {
                groups.append(Group(content: content, part: part, indices: [index]))
            }
        }
        return groups
    }

    // MARK: One group

    private func load(_ group: Group) async throws(APIError) -> Attachment {
        if Task.isCancelled { throw .clientLeft }
        switch (group.part.source, group.part.kind) {
        case (.file, _): return stored(group.part, group.indices[0])
        case (.address(let address), .file): return try await fetchedFile(address, group)
        case (.address(let address), _): return try await fetched(address, group)
        case (.data(let text), .image): return try await image(text, group)
        case (.data(let text), .file): return try await file(text, group)
        case (.data(let text), .audio): return try await words(text, group)
        case (.kept, _), (.words, _): return group.part
        }
    }

    private func stored(_ part: Attachment, _ index: Int) -> Attachment {
        guard let file = plan.files[index] else { preconditionFailure("a file that was not opened") }
        return file.isImage
            ? part.kept(.image, file.path) : part.kept(.file, file.vendorID, name: Self.shown(file.name))
    }

    private func fetched(_ address: String, _ group: Group) async throws(APIError) -> Attachment {
        let param = group.part.param
        let image = try await Image.fetch(address, by: access.fetcher, param: param)
        let content = try await Digest(of: image.bytes, on: access.loop, by: access.worker)
        let asset = try await keep(group, content) { () throws(APIError) in try Self.named(image, param) }
        return group.part.kept(.image, asset.path)
    }

    private func image(_ text: Base64Text, _ group: Group) async throws(APIError) -> Attachment {
        let param = group.part.param
        let asset = try await keep(group, group.content) { () async throws(APIError) in
            guard let bytes = try await text.decoded(on: self.access.loop, by: self.access.worker) else {
                throw .notBase64(param)
            }
            if !access.mayRepeat { text.release() }
            return try Self.named(try Image(bytes, param: param), param)
        }
        return group.part.kept(.image, asset.path)
    }

    private static func named(_ image: Image, _ param: String) throws(APIError) -> NewAsset {
        guard image.type != .svg else {
            throw .image(param, "is an SVG, which models do not support", code: "invalid_image_format")
        }
        return NewAsset(
            bytes: image.bytes,
            filename: "image.\(image.type.fileExtension)",
            mediaType: image.type.rawValue
        )
    }

    private func file(_ text: Base64Text, _ group: Group) async throws(APIError) -> Attachment {
        try await file(group, group.content) { () async throws(APIError) in
            try await self.decoded(text, group.part.param)
        }
    }

    private func fetchedFile(_ address: String, _ group: Group) async throws(APIError) -> Attachment {
        let bytes = try await access.content(at: address, of: group.part)
        let content = try await Digest(of: bytes, on: access.loop, by: access.worker)
        return try await file(group, content) { () throws(APIError) in bytes }
    }

    private func file(
        _ group: Group,
        _ content: Digest,
        _ load: () async throws(APIError) -> Body
    ) async throws(APIError) -> Attachment {
        let part = group.part
        let name = Self.shown(part.name ?? "file")
        let asset = try await keep(group, content) { () async throws(APIError) in
            let bytes = try await load()
            guard let type = MediaType(content: bytes.bytes), type.family == .document, type != .zip else {
                throw .unsupportedValue(part.param, "only PDF, Word, JSON, XML and plain text files are supported")
            }
            let filename = type.fileName(name)
            let isTable = type == .text && filename.lowercased().hasSuffix(".csv")
            return NewAsset(bytes: bytes, filename: filename, mediaType: isTable ? "text/csv" : type.rawValue)
        }
        // The vendor would silently ignore a path in place of the id.
        guard !asset.id.isEmpty else {
            throw failure(UpstreamError(.failed, cause: "the vendor's response to an upload has no id"), part.param)
        }
        return part.kept(.file, asset.id, name: name)
    }

    private func words(_ text: Base64Text, _ group: Group) async throws(APIError) -> Attachment {
        let param = group.part.param
        guard let transcriber = plan.transcriber, let vendor = transcriber.transcription
        else { preconditionFailure("a sound that nobody writes down") }
        let bytes = try await decoded(text, param)
        guard let type = MediaType(content: bytes.bytes), type == .wav || type == .mp3 else {
            throw .value(param, "is neither WAV nor MP3")
        }
        let wanted = try vendor.prepare(TranscriptionCall(plainOf: transcriber.name), for: transcriber.model)
        let server = call.billing.server
        // If the call already holds capacity of this provider, there may be none left for another call.
        let isSame = transcriber.provider.name == server?.provider
        let help: Attempt
        do throws(UpstreamError) {
            call.billing.server = transcriber.server
            let own = isSame ? call : try await transcriber.call(billing: call.billing)
            help = own.makeOther(takesPermit: true)
        } catch {
            throw failure(error, param)
        }
        call.billing.server = server
        do throws(UpstreamError) {
            let name = "audio.\(type.fileExtension)"
            let transcript = try await help.helping(by: transcriber.model.id, credits: \.credits) {
                () async throws(UpstreamError) in
                try await vendor.keep(bytes, filename: name, mediaType: type.rawValue, by: help)
            } _: { (audio) async throws(UpstreamError) in
                try await wanted.transcript(of: audio, by: help)
            }
            var part = group.part
            part.source = .words(transcript.text)
            return part
        } catch {
            throw failure(
                error,
                param,
                credential: isSame && error.isCapacityShortage ? nil : help.credential
            )
        }
    }

    private func decoded(_ text: Base64Text, _ param: String) async throws(APIError) -> Body {
        guard let bytes = try await text.decoded(on: access.loop, by: access.worker) else {
            throw .value(param, "is not valid base64")
        }
        if !access.mayRepeat { text.release() }
        return bytes
    }

    // MARK: Uploads

    private struct NewAsset: Sendable {
        let bytes: Body
        let filename: String
        let mediaType: String
    }

    /// Returns the vendor's file with this content. Uploads the content if there is no earlier upload.
    /// - Parameters:
    ///   - group: the attachments of the request that have this content.
    ///   - make: returns the content to upload; not called if an earlier upload is used.
    private func keep(
        _ group: Group,
        _ content: Digest,
        _ make: () async throws(APIError) -> NewAsset
    ) async throws(APIError) -> UploadedAsset {
        let credential = call.credential
        let key = AssetCache.Key(content, of: access.caller, account: credential.account)
        if let known = access.assets.asset(key, at: access.loop.now) {
            for index in group.indices { remembered[index] = key }
            return known
        }
        let new = try await make()
        do throws(UpstreamError) {
            let kept = try await plan.uploader.keep(
                new.bytes,
                filename: new.filename,
                mediaType: new.mediaType,
                by: call
            )
            access.assets.add(kept, key, at: access.loop.now)
            return kept
        } catch {
            throw failure(error, group.part.param)
        }
    }

    /// Makes the upstream error for a client error that `load()` threw. If the vendor failed, the error keeps the
    /// recovery options of that failure.
    func failure(refusing refusal: APIError) -> UpstreamError {
        guard var error = vendorFailure, refusal.status != 499 else { return UpstreamError(refusing: refusal) }
        error.refusal = refusal
        return error
    }

    /// Makes the error for the client after a failed upload or transcription.
    /// - Parameter credential: the key with which a transcription failed; nil for the key of the chat's own call.
    private func failure(_ error: UpstreamError, _ param: String, credential: Credential? = nil) -> APIError {
        if credential == nil { vendorFailure = vendorFailure ?? error }
        var said = APIError(error, model: plan.candidate.name, credential ?? call.credential)
        if error.kind == .badRequest, !error.isCapacityShortage { said.param = param }
        return said
    }

    /// Returns a file's name as the prompt contains it: without the path and control characters, and shortened.
    private static func shown(_ name: String) -> String {
        let last = name.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.last ?? Substring().utf8
        let plain = String(decoding: last.filter { $0 >= 32 && $0 != 127 }, as: UTF8.self)
        StepCount.add(2 * name.utf8.count)
        return plain.isEmpty ? "file" : plain.cut(toBytes: nameLimitBytes)
    }
}

extension APIError {
    /// Creates the error for a failed download of a file.
    init(_ failure: FetchFailure, ofFile param: String) {
        self.init(failure, param: param)
        // The message hides what the server returned, so that callers cannot explore the relay's network.
        guard self.status == 400 else { return }
        let why =
            switch failure.kind {
            case .badURL: "is not a URL that this relay fetches"
            case .tooLarge: "is too large"
            default: "could not be downloaded"
            }
        let cause = self.cause
        self = .value(param, why)
        self.cause = cause
    }
}

extension Attachment {
    fileprivate func kept(_ kind: Kind, _ name: String, name shown: String? = nil) -> Attachment {
        var kept = self
        kept.kind = kind
        kept.source = .kept(name)
        if let shown { kept.name = shown }
        return kept
    }
}
