package import Engine
package import Limits
package import Shared

/// A store for the shape (size or aspect ratio) and the mode (fast or relax) of a caller's images.
package struct ImageMemory: Sendable {
    private let state: SharedState
    private let caller: Caller
    private let loop: EventLoop

    private static let expirySeconds = 7 * 86_400

    package init(_ state: SharedState, of caller: Caller, on loop: EventLoop) {
        self.state = state
        self.caller = caller
        self.loop = loop
    }

    /// Stores the call's shape (size or aspect ratio) and mode (fast or relax) for each of its images. Stores nothing
    /// if both are nil.
    package func remember(_ files: [GeneratedImage], madeBy call: ImageCall) {
        guard call.shape != nil || call.mode != nil else { return }
        let value = Self.coded(call)
        state.put(files.map { (key($0.address), value) }, expirySeconds: Self.expirySeconds)
    }

    /// Returns a variation call with the stored shape (size or ratio) and mode (fast or relax) of its image.
    ///
    /// Returns the call unchanged if nothing is stored for its image, or if the call is not a variation.
    package func recalled(_ call: ImageCall) async -> ImageCall {
        guard call.purpose == .variation, case .address(let address) = call.image,
            let value = try? await state.read(key(address), on: loop)
        else { return call }
        return Self.decoded(value, call)
    }

    private func key(_ address: String) -> String {
        let name = caller.identity?.text ?? ""
        return "relay:1:image:\(Digest(of: "\(caller.kind) \(name) \(address)").base64url(characters: 22))"
    }

    // MARK: Records

    private static let format: UInt8 = 1

    /// Encodes the image shape and the mode (fast or relax) of a call as a record of 7 bytes.
    private static func coded(_ call: ImageCall) -> [UInt8] {
        let mode: UInt8 =
            switch call.mode {
            case nil: 0
            case .fast: 1
            case .relax: 2
            }
        let (kind, width, height): (UInt8, Int, Int) =
            switch call.shape {
            case nil: (0, 0, 0)
            case .size(let width, let height): (1, width, height)
            case .ratio(let width, let height): (2, width, height)
            }
        return [format, mode, kind] + [width, height].flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    /// Returns the call with the image shape (size or ratio) and the mode (fast or relax) that the record `bytes`
    /// contains. Ignores an invalid record.
    private static func decoded(_ bytes: [UInt8], _ call: ImageCall) -> ImageCall {
        guard bytes.count == 7, bytes[0] == format else { return call }
        let (width, height) = (Int(bytes[4]) << 8 | Int(bytes[3]), Int(bytes[6]) << 8 | Int(bytes[5]))
        var call = call
        switch bytes[1] {
        case 1: call.mode = .fast
        case 2: call.mode = .relax
        default: break
        }
        let sides = 1...ImageCall.longestSide
        guard sides.contains(width), sides.contains(height) else { return call }
        switch bytes[2] {
        case 1: call.shape = .size(width: width, height: height)
        case 2: call.shape = .ratio(width: width, height: height)
        default: break
        }
        return call
    }
}
