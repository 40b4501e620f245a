import CPng
import Engine
import Glibc
import Shared

/// Converts masks for image changes. OpenAI's masks are transparent where the image changes, 1min.ai's are white.
enum EditMask {
    static let maxPixels = 4_096 * 4_096

    /// Returns the memory in bytes that a conversion needs in addition to the mask.
    static func workBytes(_ mask: UnsafeRawBufferPointer) -> Int {
        guard let size = ImageSize(of: .png, mask), mask.count > 28 else { return 0 }
        let pixels = min(size.width * size.height, maxPixels)
        return mask[28] == 0 ? pixels / 4 : pixels / 4 + 4 * pixels
    }

    /// Converts an OpenAI mask to a mask for 1min.ai. Blocks the thread for about 20 ns per pixel.
    /// - Parameter size: the size of the image, which the mask must have.
    static func converted(_ mask: UnsafeRawBufferPointer, for size: ImageSize) throws(MaskError) -> Body {
        guard let own = ImageSize(of: .png, mask) else { throw .broken }
        guard own.width * own.height <= maxPixels else { throw .tooLarge }
        guard own == size else { throw .otherSize }
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        let source = mask.bindMemory(to: UInt8.self).baseAddress
        switch relay_mask_make(source, mask.count, UInt32(maxPixels), &bytes, &count) {
        case RELAY_MASK_MADE: break
        case RELAY_MASK_TOO_LARGE: throw .tooLarge
        case RELAY_MASK_NO_ALPHA: throw .noAlpha
        case RELAY_MASK_NO_MEMORY: throw .busy
        default: throw .broken
        }
        defer { free(bytes) }
        var buffer = ByteBuffer()
        guard buffer.canReserve(count) else { throw .busy }
        buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
        return Body(buffer)
    }

    /// Converts an OpenAI mask to a mask for 1min.ai, on the worker thread.
    static func converted(
        _ mask: Body,
        for size: ImageSize,
        by worker: WorkQueue,
        on loop: EventLoop
    ) async throws(MaskError) -> Body {
        let result: Result<Body, MaskError>? = await worker.enqueuedResult(ofBytes: mask.bytes.count, on: loop) {
            do throws(MaskError) {
                return .success(try converted(mask.bytes, for: size))
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw .busy }
        return try result.get()
    }
}
