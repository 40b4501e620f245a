import Engine
import Shared
import Upstream

extension FormStream {
    /// Hands the file that is coming over to a vendor: its `beginning`, which was read, and then what comes, as fast as
    /// the vendor takes it. What fails on either side ends the other.
    func pass(
        _ beginning: consuming ByteBuffer,
        _ filename: String,
        _ type: MediaType,
        to taker: Registry.Candidate
    ) async throws(APIError) -> KeptAsset {
        guard let provider = taker.provider as? any FileProvider else { throw .modelNotFound(taker.name) }
        let upload: any FileUpload
        do throws(UpstreamError) {
            upload = try provider.upload(filename, type, totalBytes: nil, key: taker.credential.key)
        } catch {
            throw APIError(error, model: taker.name, taker.credential)
        }
        defer { upload.stop() }
        try await write(beginning.bytes, upload, taker)
        beginning.release()
        while upload.isWanted, let piece = try await nextPiece() { try await write(piece, upload, taker) }
        do throws(UpstreamError) {
            return try await upload.finish()
        } catch {
            throw APIError(error, model: taker.name, taker.credential)
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer,
        _ upload: any FileUpload,
        _ taker: Registry.Candidate
    ) async throws(APIError) {
        do throws(UpstreamError) {
            try await upload.write(bytes)
        } catch {
            throw APIError(error, model: taker.name, taker.credential)
        }
    }
}
