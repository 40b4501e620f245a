import Calls
import Engine
import Shared
import Upstream

struct UploadedFile {
    let asset: UploadedAsset
    let fileCall: FileCall
}

extension FormStream {
    /// Uploads the arriving file of a client to a vendor.
    ///
    /// - Parameters:
    ///   - beginning: the bytes of the file that have already been read.
    ///   - metadata: the options of the file that are known when the upload begins.
    ///   - next: returns a call with another key; nil if no key is left. Only files of at most 1 MB are uploaded again.
    ///     If `next` itself is nil, no upload is repeated.
    ///   - atEnd: receives the file's length before the upload ends, and returns the options that became known since
    ///     its beginning. If `atEnd` throws, the upload is cut off.
    func pass(
        _ beginning: consuming ByteBuffer,
        _ label: FileLabel,
        _ metadata: FileMetadata = FileMetadata(),
        to fileCall: FileCall,
        orTo next: ((FileCall) async -> FileCall?)? = nil,
        atEnd: (_ bytes: Int) async throws(APIError) -> FileMetadata = { _ in FileMetadata() }
    ) async throws(APIError) -> UploadedFile {
        let upload = try fileCall.begin(label, metadata)
        defer { upload.stop() }
        var bytes = beginning.count
        var kept = ByteBuffer()
        var isKept = next != nil
        if isKept { kept.append(beginning.bytes) }
        var failure = await upload.failure(writing: beginning.bytes)
        beginning.release()
        // A vendor may refuse a key before the end of the file. If the file is too large, that is the reason of whatever
        // the vendor did.
        while upload.isWanted && failure == nil || isKept || canBeTooLarge, let piece = try await nextPiece() {
            bytes += piece.count
            if isKept { isKept = try await keep(piece, behind: &kept, limitBytes: 1_048_576) }
            if upload.isWanted, failure == nil { failure = await upload.failure(writing: piece) }
        }
        if let failure { throw APIError(fileCall.failure(failure), model: fileCall.model) }
        // A vendor that accepts no more bytes gives the reason in its response.
        let late = upload.isWanted || isKept ? try await atEnd(bytes) : FileMetadata()
        do throws(UpstreamError) {
            return UploadedFile(asset: try await fileCall.finish(upload, late), fileCall: fileCall)
        } catch {
            guard isKept, let next else { throw APIError(error, model: fileCall.model) }
            return try await Self.passAgain(kept, label, (metadata, late), next, after: (error, fileCall))
        }
    }

    /// Uploads a complete file again with one key after another. Throws the last error if no key is left.
    private static func passAgain(
        _ file: borrowing ByteBuffer,
        _ label: FileLabel,
        _ metadata: (early: FileMetadata, late: FileMetadata),
        _ next: (FileCall) async -> FileCall?,
        after refusal: (error: UpstreamError, fileCall: FileCall)
    ) async throws(APIError) -> UploadedFile {
        var (error, fileCall) = refusal
        while error.recovery.contains(.nextKey), !Task.isCancelled, let other = await next(fileCall) {
            fileCall = other
            let upload = try fileCall.begin(label, metadata.early)
            defer { upload.stop() }
            try await fileCall.write(file.bytes, to: upload)
            do throws(UpstreamError) {
                return UploadedFile(asset: try await fileCall.finish(upload, metadata.late), fileCall: fileCall)
            } catch let failure {
                error = failure
            }
        }
        throw APIError(error, model: fileCall.model)
    }
}

extension FileUpload {
    /// Writes bytes of the file. Returns the error if this failed.
    fileprivate func failure(writing bytes: UnsafeRawBufferPointer) async -> UpstreamError? {
        do throws(UpstreamError) {
            try await write(bytes)
            return nil
        } catch {
            return error
        }
    }
}

extension FileCall {
    fileprivate func begin(_ label: FileLabel, _ metadata: FileMetadata) throws(APIError) -> any FileUpload {
        do throws(UpstreamError) {
            return try provider.upload(label, metadata, totalBytes: nil, by: call)
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

    /// Ends an upload and returns the uploaded file. If the upload failed, records the failure for the key and throws.
    fileprivate func finish(
        _ upload: any FileUpload,
        _ metadata: FileMetadata
    ) async throws(UpstreamError) -> UploadedAsset {
        do throws(UpstreamError) {
            let asset = try await upload.finish(metadata)
            call.ended()
            return asset
        } catch {
            throw failure(error)
        }
    }
}
