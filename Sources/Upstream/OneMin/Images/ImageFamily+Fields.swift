import Engine
import Shared

extension ImageFamily {
    /// Appends the call's options to the request's `promptObject`, except the number of images. Throws if this family
    /// does not support an option.
    func append(_ call: ImageCall, to body: inout ByteBuffer) throws(APIError) {
        guard call.prompt.unicodeScalars.count <= promptLimit else {
            throw .value("prompt", "must have at most \(promptLimit) characters")
        }
        try appendShape(call.shape, to: &body)
        if let quality = try quality(call.quality) { body.append("quality", quality) }
        try appendStyle(call.style, to: &body)
        try appendBackground(call.background, to: &body)
        try appendFormat(call, to: &body)
        if let negative = call.negativePrompt {
            guard let negativeField else { throw .unsupportedValue("prompt", "this model does not support --no") }
            body.append(negativeField, negative)
        }
        // A mode is ignored for models without modes, because this harms nobody.
        if hasMode { body.append("mode", call.mode == .relax ? "relax" : "fast") }
    }

    private func quality(_ wanted: String?) throws(APIError) -> String? {
        guard let wanted, wanted != "auto" else { return usualQuality }
        if qualities.contains(wanted) { return wanted }
        let near: [String: String] = [
            "standard": "medium", "hd": "high", "low": "standard", "medium": "standard", "high": "hd",
        ]
        if let other = near[wanted], qualities.contains(other) { return other }
        // A model without qualities makes `standard` images.
        if qualities.isEmpty, wanted == "standard" { return nil }
        throw .unsupportedValue("quality", "not supported by this model")
    }

    private func appendStyle(_ style: String?, to body: inout ByteBuffer) throws(APIError) {
        guard let style else { return }
        switch styles {
        case .none: throw .unsupported("style", "This model does not support a style.")
        case .some(let known) where !known.contains(style):
            throw .value("style", "must be one of \(known.joined(separator: ", "))")
        case .some, .any: body.append("style", style)
        }
    }

    private func appendBackground(_ background: String?, to body: inout ByteBuffer) throws(APIError) {
        guard let background else { return }
        if backgrounds.contains(background) { return body.append("background", background) }
        guard background != "auto" else { return }
        throw .unsupported("background", "This model does not support a background.")
    }

    private func appendFormat(_ call: ImageCall, to body: inout ByteBuffer) throws(APIError) {
        if let format = call.outputFormat {
            guard !formats.isEmpty else {
                throw .unsupported("output_format", "This model does not support an output format.")
            }
            let name = format == "jpeg" && formats.contains("jpg") ? "jpg" : format
            guard formats.contains(name) else {
                throw .unsupportedValue("output_format", "not supported by this model")
            }
            body.append(formatField, name)
        }
        guard let compression = call.outputCompression else { return }
        guard hasCompression else {
            throw .unsupported("output_compression", "This model does not support a compression.")
        }
        guard call.outputFormat == "jpeg" || call.outputFormat == "webp" else {
            throw .unsupportedValue("output_compression", "only allowed with jpeg and webp")
        }
        body.append("output_compression", compression)
    }

    // MARK: Count

    /// Plans the upstream calls for a number of images. Returns the images to use from each call: for 5 images and at
    /// most 4 in each call, 4 and 1.
    /// - Parameter wanted: the number of images; nil for one call with the models' usual number.
    func plan(_ wanted: Int?) -> [Int] {
        let (usual, most) =
            switch count {
            case .one: (1, 1)
            case .field(_, let most, _): (1, most)
            case .always(let count): (count, count)
            }
        guard let wanted else { return [usual] }
        var plan: [Int] = []
        var left = wanted
        while left > 0 {
            plan.append(min(left, most))
            left -= most
        }
        return plan
    }

    func append(count taken: Int, to body: inout ByteBuffer) {
        switch count {
        case .one: break
        case .field(let name, _, let isRequired):
            guard taken > 1 || isRequired else { return }
            body.append(name, taken)
        case .always(let count): body.append("n", count)
        }
    }
}
