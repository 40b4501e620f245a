import Calls
import Engine
import Shared
import Upstream

extension FormStream {
    /// Hands the file that is coming over to a vendor: its `beginning`, which was read, and then what comes, as fast as
    /// the vendor takes it. What fails on either side ends the other.
    ///
    /// - Parameters:
    ///   - atEnd: called with the file's length before the vendor is told that this was all; what it throws cuts the
    ///     upload.
    func pass(
        _ beginning: consuming ByteBuffer,
        _ label: FileLabel,
        to keeper: FileKeeper,
        atEnd: (_ bytes: Int) async throws(APIError) -> Void = { _ in }
    ) async throws(APIError) -> KeptAsset {
        let upload: any FileUpload
        do throws(UpstreamError) {
            upload = try keeper.provider.upload(label, totalBytes: nil, by: keeper.call)
        } catch {
            throw APIError(keeper.call.failure(error), model: keeper.model)
        }
        defer { upload.stop() }
        var bytes = beginning.count
        do throws(UpstreamError) {
            try await upload.write(beginning.bytes)
        } catch {
            throw APIError(keeper.call.failure(error), model: keeper.model)
        }
        beginning.release()
        while upload.isWanted, let piece = try await nextPiece() {
            bytes += piece.count
            do throws(UpstreamError) {
                try await upload.write(piece)
            } catch {
                throw APIError(keeper.call.failure(error), model: keeper.model)
            }
        }
        // A vendor that wants no more says why in its answer.
        if upload.isWanted { try await atEnd(bytes) }
        do throws(UpstreamError) {
            let asset = try await upload.finish()
            keeper.call.served()
            return asset
        } catch {
            throw APIError(keeper.call.failure(error), model: keeper.model)
        }
    }
}
