import Engine
import Shared

extension ImageFamily {
    func appendShape(_ wanted: ImageCall.Shape?, to body: inout ByteBuffer) throws(APIError) {
        switch shape {
        case .fixed:
            if let wanted { throw Self.unknown(wanted, "this model does not support choosing it") }
        case .sizes(let known, let isRequired):
            let usual = isRequired ? known.first : nil
            guard let size = try wanted.map({ (wanted) throws(APIError) in try Self.size(wanted, known) }) ?? usual
            else { return }
            body.append("size", size)
        case .multiplesOf16:
            let wanted = wanted ?? .size(width: 1_024, height: 1_024)
            guard let (width, height) = Self.multiplesOf16(wanted) else {
                throw Self.unknown(wanted, "both sides must be multiples of 16, up to 3840, 3:1 and 8294400 pixels")
            }
            body.append("size", "\(width)x\(height)")
        case .ratios(let name, let known):
            guard let wanted else { return }
            guard
                let ratio = known.first(where: { wanted.hasRatio(ofSides: ImageCall.sides($0.utf8, UInt8(ascii: ":"))) }
                )
            else {
                throw Self.unknown(wanted, "its ratio must be one of \(known.joined(separator: ", "))")
            }
            body.append(name, ratio)
        case .sides: try appendSides(wanted, to: &body)
        }
    }

    private func appendSides(_ wanted: ImageCall.Shape?, to body: inout ByteBuffer) throws(APIError) {
        var (width, height) = (1, 1)
        if let wanted {
            (width, height) = wanted.reduced
            guard width <= 7, height <= 7 else {
                throw Self.unknown(wanted, "its ratio must consist of whole numbers from 1 to 7")
            }
        }
        body.append("aspect_width", width)
        body.append("aspect_height", height)
    }

    private static func size(_ wanted: ImageCall.Shape, _ known: [String]) throws(APIError) -> String {
        let found = known.first { size in
            switch wanted {
            case .size(let width, let height): size == "\(width)x\(height)"
            case .ratio: wanted.hasRatio(ofSides: ImageCall.sides(size.utf8, UInt8(ascii: "x")))
            }
        }
        guard let found else { throw unknown(wanted, "must be one of \(known.joined(separator: ", ")) for this model") }
        return found
    }

    /// Returns the wanted width and height, or a size with the wanted ratio; nil if the models do not support the size.
    private static func multiplesOf16(_ wanted: ImageCall.Shape) -> (Int, Int)? {
        var (width, height) = wanted.sides
        if case .ratio = wanted {
            let (across, down) = wanted.reduced
            var scale = 16
            while scale * across * scale * down < 1 << 20 { scale += 16 }
            (width, height) = (scale * across, scale * down)
        }
        guard width % 16 == 0, height % 16 == 0, max(width, height) <= 3_840,
            max(width, height) <= 3 * min(width, height), (655_360...8_294_400).contains(width * height)
        else { return nil }
        return (width, height)
    }

    private static func unknown(_ wanted: ImageCall.Shape, _ why: String) -> APIError {
        switch wanted {
        case .size: .unsupportedValue("size", why)
        case .ratio: .unsupportedValue("prompt", "--ar: \(why)")
        }
    }
}

extension ImageCall.Shape {
    /// The two numbers of the size or ratio: width and height, from 1 to 16,384.
    fileprivate var sides: (Int, Int) {
        switch self {
        case .size(let width, let height), .ratio(let width, let height): (width, height)
        }
    }

    fileprivate var reduced: (Int, Int) {
        let (width, height) = sides
        var (one, other) = (width, height)
        while other > 0 { (one, other) = (other, one % other) }
        return (width / one, height / one)
    }

    fileprivate func hasRatio(ofSides others: (Int, Int)?) -> Bool {
        guard let others else { return false }
        return sides.0 * others.1 == sides.1 * others.0
    }
}
