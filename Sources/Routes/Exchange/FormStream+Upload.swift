import Calls
import Engine
import Shared
import Upstream

/// A file that a vendor keeps, and the call that handed it over.
struct HandedFile {
    let asset: KeptAsset
    let keeper: FileKeeper
}

extension FormStream {
    /// Hands the file that is coming over to a vendor: its `beginning`, which was read, and then what comes, as fast as
    /// the vendor takes it. What fails on either side ends the other.
    ///
    /// - Parameters:
    ///   - terms: as far as they are known.
    ///   - next: returns who takes the file with another key after a refusal of the key; nil: nobody does. A file of up to
    ///     1 MB is kept for that.
    ///   - atEnd: called with the file's length before the vendor is told that this was all; returns the terms that have
    ///     become known meanwhile. What it throws cuts the upload.
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
        // A vendor that refuses a key need not have seen the end.
        while upload.isWanted || isKept, let piece = try await nextPiece() {
            bytes += piece.count
            if isKept { isKept = try await keep(piece, behind: &kept) }
            if upload.isWanted { try await keeper.write(piece, to: upload) }
        }
        // A vendor that wants no more says why in its answer.
        let late = upload.isWanted || isKept ? try await atEnd(bytes) : FileTerms()
        do throws(UpstreamError) {
            return HandedFile(asset: try await keeper.finish(upload, late), keeper: keeper)
        } catch {
            guard isKept, let next else { throw APIError(error, model: keeper.model) }
            return try await Self.passAgain(kept, label, (terms, late), next, after: (error, keeper))
        }
    }

    /// Hands a whole file over with one key after the other, until one is not refused.
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

    /// Ends an upload. A failure that it throws was counted against the key already.
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
