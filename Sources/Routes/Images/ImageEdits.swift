import Engine
import Shared
import Upstream

/// POST /v1/images/edits
func imageEdits(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try await responder.caller(.images)
    var (call, mask, named) = try await edit(responder)
    responder.record.model = call.model
    let isMasked = mask != nil || named?.mask != nil
    // Which kind of call it is depends on there being a mask, not on what is in it.
    call.mask = isMasked ? Body(ByteBuffer()) : nil
    var candidate = try gateway.registry.candidate(call.model, for: caller, able: isMasked ? .imageInpaint : .imageEdit)
    guard let provider = candidate.provider as? any ImageProvider else { throw .modelNotFound(call.model) }
    let calls = try provider.prepare(call, for: candidate.model, key: candidate.credential.key).calls
    try await responder.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .images, request, model: candidate.name)
    try await responder.admit(cover, Meter(images: call.count ?? 1, calls: calls, candidate, cover, gateway))
    if let named {
        let bringer = PictureBringer(caller: caller, gateway: gateway)
        (call.picture, candidate) = try await bringer.picture(named.image, isMasked: isMasked, candidate)
        if let part = named.mask { mask = try await bringer.bytes(part) }
    }
    if let mask { call.mask = try await converted(mask, call.picture, named?.image.param ?? "image", responder) }
    let images = try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
    responder.provider = candidate.provider.name
    do throws(UpstreamError) {
        try await answerImages(images, call, candidate.model, gateway.memory(of: caller), responder)
    } catch {
        throw APIError(error, model: call.model, candidate.credential)
    }
}

/// What is asked for, with its pictures in a form, or in JSON with what names them.
private func edit(
    _ responder: Responder
) async throws(APIError) -> (call: ImageCall, mask: Body?, named: NamedPictures?) {
    if responder.request?.isJSON ?? false {
        return try await responder.json { (root) throws(APIError) in
            (try ImageCall(edit: RequestFields(root)), nil, try NamedPictures(root))
        }
    }
    let form = try await responder.form(files: ["image", "mask"], fileLimitBytes: pictureLimitBytes)
    var call = try ImageCall(edit: FormFields(form.fields))
    call.picture = try picture(in: form)
    return (call, try mask(in: form), nil)
}

/// Of one picture that is sent here.
let pictureLimitBytes = 26_214_400

/// The only picture of a form.
func picture(in form: Form) throws(APIError) -> ImageCall.Picture {
    let pictures = form.files.filter { $0.name == "image" }
    guard let first = pictures.first, !first.bytes.bytes.isEmpty else { throw .missing("image") }
    guard pictures.count == 1 else {
        throw .value("image", "one picture at a time is taken here", code: "unsupported_value")
    }
    return try editable(first.bytes, "image")
}

/// A picture of a kind that can be edited and varied.
func editable(_ bytes: Body, _ param: String) throws(APIError) -> ImageCall.Picture {
    guard let type = MediaType(content: bytes.bytes), type.family == .picture, type != .svg else {
        throw .value(param, "it is no PNG, JPEG, WebP or GIF", code: "invalid_image_format")
    }
    return .data(bytes, type)
}

private func mask(in form: Form) throws(APIError) -> Body? {
    let masks = form.files.filter { $0.name == "mask" && !$0.bytes.bytes.isEmpty }
    guard masks.count <= 1 else { throw .value("mask", "one mask is taken") }
    return masks.first?.bytes
}

/// In the vendor's kind: white where the caller's is transparent, black elsewhere.
private func converted(
    _ mask: Body,
    _ picture: ImageCall.Picture?,
    _ param: String,
    _ responder: Responder
) async throws(APIError) -> Body {
    let gateway = responder.gateway
    guard case .data(let bytes, let type) = picture, let size = PictureSize(of: type, bytes.bytes) else {
        throw .value(param, "its size cannot be read", code: "invalid_image_format")
    }
    let workBytes = EditMask.workBytes(mask.bytes)
    do throws(RequestError) {
        try await responder.request?.body.hold(workBytes)
    } catch {
        throw Task.isCancelled ? .clientLeft : APIError(error)
    }
    defer { responder.request?.body.giveBack(workBytes) }
    do throws(EditMask.Flaw) {
        return try await EditMask.converted(mask, for: size, by: gateway.worker, on: gateway.loop)
    } catch {
        if Task.isCancelled { throw .clientLeft }
        switch error {
        case .broken: throw .value("mask", "it is no PNG that can be read", code: "invalid_image_format")
        case .tooLarge: throw .value("mask", "it has too many pixels")
        case .noAlpha: throw .value("mask", "nothing in it is transparent, so nothing would be edited")
        case .otherSize: throw .value("mask", "it must be as wide and high as the image")
        case .busy:
            throw APIError(503, "The relay is busy with other masks.", type: "server_error", code: "overloaded")
        }
    }
}
