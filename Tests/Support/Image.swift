package import CPicture
import Glibc

/// Returns a PNG of one colour whose pixels have these alphas.
package func png(
    _ alphas: [UInt8],
    width: Int,
    _ kind: picture_kind = PICTURE_RGBA,
    isInterlaced: Bool = false
)
    -> [UInt8]
{
    var count = 0
    let height = UInt32(alphas.count / width)
    let bytes = picture_write(alphas, UInt32(width), height, kind, isInterlaced ? 1 : 0, &count)
    defer { free(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
}
