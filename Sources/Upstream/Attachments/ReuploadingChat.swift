import Engine
import Shared

extension AttachmentPlan {
    /// Uploads the attachments of a call to the vendor, and prepares the vendor's chat with them.
    package func prepare(
        _ call: consuming ChatCall,
        by attempt: Attempt,
        _ access: MediaAccess
    ) async throws(UpstreamError) -> any PreparedChat {
        var call = call
        let loader = AttachmentLoader(call.attachments, self, access: access, call: attempt)
        let loaded: [Attachment]
        do throws(APIError) {
            loaded = try await loader.load()
        } catch {
            throw loader.failure(refusing: error)
        }
        let (bytes, original) = (call.textBytes, loader.mayBeLost ? call : nil)
        call.attachments = loaded
        let prepared = candidate.provider.prepare(call, for: candidate.model, by: attempt)
        let chat = original.map { ReuploadingChat(prepared, $0, candidate, parts: loader, access) } ?? prepared
        guard await access.worker.result(ofBytes: bytes, on: access.loop, { chat.write() }) != nil else {
            throw .tooMuchWork
        }
        return chat
    }
}

/// A chat with uploaded files, which are uploaded again once if the vendor has deleted them.
///
/// `@unchecked`: used on its request's loop only, except for `write`.
final class ReuploadingChat: PreparedChat, @unchecked Sendable {
    private var chat: any PreparedChat
    private let candidate: Candidate
    private let worker: WorkQueue
    private let loop: EventLoop
    /// The original call and its attachment loader; nil after a success or after a second upload has begun.
    private var rest: (call: ChatCall, parts: AttachmentLoader)?
    private var isRenewing = false
    private var waiting: [Waiter] = []

    init(
        _ chat: any PreparedChat,
        _ call: ChatCall,
        _ candidate: Candidate,
        parts: AttachmentLoader,
        _ access: MediaAccess
    ) {
        self.chat = chat
        self.candidate = candidate
        worker = access.worker
        loop = access.loop
        rest = (call, parts)
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let used = chat
        do throws(UpstreamError) {
            let stream = try await used.open(isStreamed: isStreamed, by: attempt)
            rest = nil
            return stream
        } catch {
            guard error.recovery.contains(.reuploadFiles) else { throw error }
            return try await renewal(of: used, after: error, by: attempt).open(isStreamed: isStreamed, by: attempt)
        }
    }

    /// Uploads the files again and returns a new chat in place of the failed chat `used`.
    /// - Throws: `error` if uploading the files again fails.
    private func renewal(
        of used: any PreparedChat,
        after error: UpstreamError,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any PreparedChat {
        while isRenewing, !Task.isCancelled {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
        }
        if chat !== used { return chat }
        guard let (call, parts) = rest else { throw error }
        rest = nil
        isRenewing = true
        defer {
            isRenewing = false
            for waiter in waiting { waiter.wake() }
            waiting = []
        }
        do throws(APIError) {
            var call = call
            call.attachments = try await parts.loadAgain(by: attempt)
            let renewed = candidate.provider.prepare(call, for: candidate.model, by: attempt)
            guard await worker.result(ofBytes: call.textBytes, on: loop, { renewed.write() }) != nil else {
                throw .tooMuchWork
            }
            chat = renewed
            return chat
        } catch let second {
            throw second.status == 499 ? UpstreamError(.cancelled, cause: "cancelled") : error
        }
    }
}
