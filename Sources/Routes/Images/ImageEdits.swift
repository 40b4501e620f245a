import Engine
import Shared
import Upstream

/// POST /v1/images/edits
func imageEdits(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try gateway.callers.caller(of: request)
    responder.record.caller = caller.name
    let form = try await responder.form(files: ["image", "mask"], fileLimitBytes: pictureLimitBytes)
    var call = try ImageCall(edit: FormFields(form.fields))
    responder.record.model = call.model
    call.picture = try picture(in: form)
    if form.files.contains(where: { $0.name == "mask" }) {
        throw .unsupported("mask", "Masks are not offered here yet.")
    }
    let candidate = try gateway.registry.candidate(call.model, for: caller, able: .imageEdit)
    guard let provider = candidate.provider as? any ImageProvider else { throw .modelNotFound(call.model) }
    let images = try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
    let cover = gateway.limits.cover(caller, .images, request, model: candidate.name)
    let meter = Meter(images: call.count ?? 1, calls: images.calls, candidate, cover, gateway)
    try await responder.admit(cover, meter)
    responder.provider = candidate.provider.name
    do throws(UpstreamError) {
        try await answerImages(images, call, candidate.model, responder)
    } catch {
        throw APIError(error, model: call.model, candidate.credential)
    }
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
    guard let type = PictureType(first.bytes.bytes), type != .svg else {
        throw .value("image", "it is no PNG, JPEG, WebP or GIF", code: "invalid_image_format")
    }
    return .data(first.bytes, type)
}
