import Calls
import Engine
import Shared
import Upstream

/// A file that was uploaded to a vendor, and the call that uploaded it.
struct HandedFile {
    let asset: KeptAsset
    let keeper: FileKeeper
}

extension FormStream {
    /// Uploads the file that is arriving: first `beginning`, which was read already, then the rest, as fast as the
    /// vendor accepts it. A failure of either side ends the other.
    ///
    /// - Parameters:
    ///   - terms: the options of the file that are known so far.
    ///   - next: returns the keeper with another key after a key was refused, or nil if there is none. If `next` is not
    ///     nil, a file of up to 1 MB is kept for this.
    ///   - atEnd: called with the length of the file before the upload is ended; returns the options that have become
    ///     known since. If it throws, the upload is cut off.
    func pass(
        _ beginning: consuming ByteBuffer,
        _ label: FileLabel,
        _ terms: FileTerms = FileTerms(),
        to keeper: FileKeeper,
        orTo next: ((FileKeeper) async -> FileKeeper?)? = nil,
        atEnd: (_ bytes: Int) async throws(APIError) -> FileTerms = { _ in FileTerms() }
    ) async throws(APIError) -> HandedFile {
        let upload = try keeper.begin(label, terms)
        defer { upload.stop() }
        var bytes = beginning.count
        var kept = ByteBuffer()
        var isKept = next != nil
        if isKept { kept.append(beginning.bytes) }
        try await keeper.write(beginning.bytes, to: upload)
        beginning.release()
        // A vendor may refuse a key before the end of the file.
        while upload.isWanted || isKept, let piece = try await nextPiece() {
            bytes += piece.count
            if isKept { isKept = try await keep(piece, behind: &kept) }
            if upload.isWanted { try await keeper.write(piece, to: upload) }
        }
        // A vendor that accepts no more bytes gives the reason in its response.
        let late = upload.isWanted || isKept ? try await atEnd(bytes) : FileTerms()
        do throws(UpstreamError) {
            return HandedFile(asset: try await keeper.finish(upload, late), keeper: keeper)
        } catch {
            guard isKept, let next else { throw APIError(error, model: keeper.model) }
            return try await Self.passAgain(kept, label, (terms, late), next, after: (error, keeper))
        }
    }

    /// Uploads a complete file with one key after another, until one is not refused.
    private static func passAgain(
        _ file: borrowing ByteBuffer,
        _ label: FileLabel,
        _ terms: (early: FileTerms, late: FileTerms),
        _ next: (FileKeeper) async -> FileKeeper?,
        after refusal: (error: UpstreamError, keeper: FileKeeper)
    ) async throws(APIError) -> HandedFile {
        var (error, keeper) = refusal
        while error.remedy.contains(.nextKey), !Task.isCancelled, let other = await next(keeper) {
            keeper = other
            let upload = try keeper.begin(label, terms.early)
            defer { upload.stop() }
            try await keeper.write(file.bytes, to: upload)
            do throws(UpstreamError) {
                return HandedFile(asset: try await keeper.finish(upload, terms.late), keeper: keeper)
            } catch let failure {
                error = failure
            }
        }
        throw APIError(error, model: keeper.model)
    }
}

extension FileKeeper {
    fileprivate func begin(_ label: FileLabel, _ terms: FileTerms) throws(APIError) -> any FileUpload {
        do throws(UpstreamError) {
            return try provider.upload(label, terms, totalBytes: nil, by: call)
        } catch {
            throw APIError(failure(error), model: model)
        }
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer, to upload: any FileUpload) async throws(APIError) {
        do throws(UpstreamError) {
            try await upload.write(bytes)
        } catch {
            throw APIError(failure(error), model: model)
        }
    }

    /// Ends an upload. If this throws, the failure has already been recorded for the key.
    fileprivate func finish(_ upload: any FileUpload, _ terms: FileTerms) async throws(UpstreamError) -> KeptAsset {
        do throws(UpstreamError) {
            let asset = try await upload.finish(terms)
            call.ended()
            return asset
        } catch {
            throw failure(error)
        }
    }
}
