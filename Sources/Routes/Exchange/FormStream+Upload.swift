import Calls
import Engine
import Shared
import Upstream

extension FormStream {
    /// Hands the file that is coming over to a vendor: its `beginning`, which was read, and then what comes, as fast as
    /// the vendor takes it. What fails on either side ends the other.
    ///
    /// - Parameters:
    ///   - terms: as far as they are known.
    ///   - atEnd: called with the file's length before the vendor is told that this was all; returns the terms that have
    ///     become known meanwhile. What it throws cuts the upload.
    func pass(
        _ beginning: consuming ByteBuffer,
        _ label: FileLabel,
        _ terms: FileTerms = FileTerms(),
        to keeper: FileKeeper,
        atEnd: (_ bytes: Int) async throws(APIError) -> FileTerms = { _ in FileTerms() }
    ) async throws(APIError) -> KeptAsset {
        let upload: any FileUpload
        do throws(UpstreamError) {
            upload = try keeper.provider.upload(label, terms, totalBytes: nil, by: keeper.call)
        } catch {
            throw APIError(keeper.failure(error), model: keeper.model)
        }
        defer { upload.stop() }
        var bytes = beginning.count
        do throws(UpstreamError) {
            try await upload.write(beginning.bytes)
        } catch {
            throw APIError(keeper.failure(error), model: keeper.model)
        }
        beginning.release()
        while upload.isWanted, let piece = try await nextPiece() {
            bytes += piece.count
            do throws(UpstreamError) {
                try await upload.write(piece)
            } catch {
                throw APIError(keeper.failure(error), model: keeper.model)
            }
        }
        // A vendor that wants no more says why in its answer.
        let late = upload.isWanted ? try await atEnd(bytes) : FileTerms()
        do throws(UpstreamError) {
            let asset = try await upload.finish(late)
            keeper.call.ended()
            return asset
        } catch {
            throw APIError(keeper.failure(error), model: keeper.model)
        }
    }
}
