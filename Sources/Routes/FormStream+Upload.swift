import Engine
import Shared
import Upstream

extension FormStream {
    /// Begins to hand the file that is coming over to a vendor: its `beginning`, which was read, and then what comes, as
    /// fast as the vendor takes it. What fails on either side ends the other. The caller says by `finish` that the
    /// vendor may have it, and ends it by `stop`, on every path.
    func pass(
        _ beginning: borrowing ByteBuffer,
        _ label: FileLabel,
        to provider: any FileProvider,
        _ credential: Credential
    ) async throws(APIError) -> any FileUpload {
        let upload: any FileUpload
        do throws(UpstreamError) {
            upload = try provider.upload(label, totalBytes: nil, key: credential.key)
        } catch {
            throw APIError(error, model: "", credential)
        }
        do throws(APIError) {
            try await write(beginning.bytes, to: upload, credential)
            while upload.isWanted, let piece = try await nextPiece() { try await write(piece, to: upload, credential) }
            return upload
        } catch {
            upload.stop()
            throw error
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer,
        to upload: any FileUpload,
        _ credential: Credential
    ) async throws(APIError) {
        do throws(UpstreamError) {
            try await upload.write(bytes)
        } catch {
            throw APIError(error, model: "", credential)
        }
    }
}
