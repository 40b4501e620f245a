import Engine
import Limits
import Shared
import Synchronization
import Upstream
import UsageRecords

/// One request of a client and the response to it.
final class Exchange: OnLoop, @unchecked Sendable {
    let request: Request
    let writer: any ResponseWriter
    let gateway: Gateway
    /// The API that the client uses; it determines the form of errors.
    var surface: any Surface
    var record: RequestRecord
    /// The kind of operation that the metrics count; nil if the route calls no model.
    var operation: Operation.Kind?
    /// The id at the end of the request's path; nil if the route's path has no id.
    var named: String?
    /// The model that the path names, as a deployment of Azure; nil if the path names none.
    var deployment: String?
    /// The additional header lines for responses of admin routes and for web pages.
    var operatorFields = ""
    /// The methods that the response lists in the header `Allow`; empty to omit the header.
    var allowed: [StaticString] = []
    /// The caller of the request and the group of its endpoint; nil before the caller is authenticated.
    var asking: (caller: Caller, group: EndpointGroup)?
    /// The last decision of the limits about the request; nil if no limit has decided.
    var standing: Decision?
    /// The billing to which the request's upstream calls are billed; nil before the admission of the request.
    var billing: Billing? { didSet { admittedAt = gateway.loop.now } }
    private(set) var admittedAt = LoopTime.distantPast
    /// The request's lookup in the response cache; nil if the request does not use the cache.
    var lookup: (any RequestCaching)?
    /// The start of the wait for the limits; nil while the request is not waiting.
    private var limitsWaitStart: LoopTime?
    private var limitsWaitNanoseconds: UInt64 = 0
    /// The charges of the limits that have counted the request.
    var counted: [LimitCharge] = []
    /// The facts by which limits apply to the request; nil if they are unknown, or if no request waits for a turn.
    var turnFacts: Indirect<TurnFacts>?
    /// The error of a waiting request whose key the settings no longer accept; nil for all others.
    var refusalOfKey: APIError?
    /// The recorder of the request's and response's bodies; nil if bodies are not recorded.
    let recorder: BodyRecorder?
    /// The number of bytes that the connection had sent before this response.
    let sentBefore: Int
    /// The index of this exchange in the event loop's list of running requests.
    var runningIndex = 0
    /// The fields and tools of the request that the vendor does not get.
    var ignored: [String] = []
    /// Whether the request has a tool for web search beside other tools.
    var offersSearch = false
    /// Whether parts of the request body are needed until the end of the response.
    var keepsBody = false
    /// Whether the relay closes the connection after the response.
    var closes = false
    /// Whether web pages of other sites may read the response, if `CORS_ORIGINS` allows their origin.
    var isShared = true
    private(set) var hasBegun = false
    private var isBinary = false

    init(_ request: Request, _ writer: any ResponseWriter, gateway: Gateway, surface: any Surface) {
        self.surface = surface
        self.request = request
        recorder = gateway.bodyText.map { text in
            let bodies = KeptBodies(limitBytes: text.limitBytes, gateway.usage.bodies)
            return BodyRecorder(request, writer, bodies: bodies, text: text, worker: gateway.reader)
        }
        self.writer = recorder ?? writer
        self.gateway = gateway
        sentBefore = writer.sentBytes
        record = RequestRecord(id: gateway.ids.id("req_"), startedAt: gateway.loop.now)
        record.method = request.method.name
        gateway.counts.change(.requests, by: 1)
    }

    var requestID: String { record.id }
    /// The vendor's name of the model that serves the request; nil if it is not known.
    var servedModel: String? { lookup?.servedModel ?? billing?.server?.model }

    // MARK: Complete responses

    func send(_ status: Int = 200, json body: borrowing ByteBuffer) {
        send(status, type: "application/json", body: body)
    }

    func send(_ status: Int, type: StaticString, body: borrowing ByteBuffer) {
        let head = beginHead(status, type: type)
        writer.send(head, body: body)
    }

    func send(redirectTo url: String) {
        var head = beginHead(302, type: nil)
        head.add("Location", text: url)
        writer.send(head, body: ByteBuffer())
    }

    /// Sends the response to a CORS preflight request.
    func sendPreflight(label: Int) {
        record.route = "OPTIONS"
        record.routeLabel = label
        record.isPolled = true
        var head = beginHead(204, type: nil)
        head.add("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        let wanted = request[.accessControlRequestHeaders]?.text
        head.add("Access-Control-Allow-Headers", text: wanted ?? "authorization, content-type")
        head.add("Access-Control-Max-Age", "86400")
        writer.send(head, body: ByteBuffer())
    }

    /// Starts to measure how long the request waits for a decision of the limits.
    func beginLimitsWait() { limitsWaitStart = gateway.loop.now }

    func endLimitsWait() {
        if let start = limitsWaitStart { limitsWaitNanoseconds += gateway.loop.now.nanoseconds(since: start) }
        limitsWaitStart = nil
    }

    /// Records the cost of the upstream calls so far, so that the response head can show it.
    func recordCost() {
        if let billing { record.record(costOf: billing) }
    }

    // MARK: Streams

    func beginEvents(_ status: Int = 200) {
        var head = beginHead(status, type: "text/event-stream; charset=utf-8")
        head.add("Cache-Control", "no-cache")
        head.add("X-Accel-Buffering", "no")
        record.isStreaming = true
        gateway.counts.change(.streams, by: 1)
        writer.begin(head)
    }

    /// Sends the events that a stream writer has collected, if there are any, and empties `batch`.
    func send(batch: inout ByteBuffer) {
        if !batch.isEmpty { writer.write(batch: &batch) }
    }

    func send(_ status: Int = 200, _ body: borrowing ByteBuffer, type: String) {
        var head = beginHead(status, type: nil)
        head.add("Content-Type", text: type)
        writer.send(head, body: body)
    }

    /// Begins a binary response that is sent in pieces. A later error cuts the body off.
    func beginBytes(_ status: Int = 200, type: String) {
        var head = beginHead(status, type: nil)
        head.add("Content-Type", text: type)
        isBinary = true
        writer.begin(head)
    }

    // MARK: Errors

    /// Sends an error as the response or the last stream event. Cuts off a binary body that has begun.
    func fail(_ error: APIError) {
        if !hasBegun, surface.streams(error) { beginEvents() }
        record.record(error)
        if error.status == 499, gateway.process.hasCut.load(ordering: .relaxed) { record.recordShutdown() }
        if error.status == 499 || isBinary { return writer.cut() }
        var error = error
        error.requestID = (vendorFields.isEmpty ? nil : vendorRequestID) ?? record.id
        var body = ByteBuffer()
        surface.append(error, isMidStream: hasBegun, to: &body)
        if hasBegun {
            writer.write(body)
            return writer.end()
        }
        var head = beginHead(surface.status(of: error), type: "application/json")
        if !allowed.isEmpty { head.add("Allow", text: allowed.map { "\($0)" }.joined(separator: ", ")) }
        if let standing, !standing.isAdmitted {
            standing.appendRetry(to: &head.fields)
        } else {
            head.addRetry(error)
        }
        if [402, 429].contains(error.status) {
            head.add("X-Relay-Limited-By", error.isFromVendor ? "upstream" : "relay")
        }
        writer.send(head, body: body)
    }

    // MARK: Heads

    /// The fields of the vendor's response that a caller with a key of its own gets.
    var vendorFields: [VendorField] {
        guard let fields = billing?.vendorFields, fields.isOfCaller else { return [] }
        return fields.all
    }

    private var vendorRequestID: String? {
        billing?.vendorFields?.all.first { $0.name.hasSameBytes(as: "request-id") }?.value
    }

    /// Begins the response, and returns its head.
    private func beginHead(_ status: Int, type: StaticString?) -> ResponseHead {
        var head = gateway.head(status, type: type, id: record.id, since: record.startedAt, isShared: isShared)
        head.closes = closes
        if isShared { addOrigin(&head) } else { head.fields.append(operatorFields) }
        standing?.appendLimits(to: &head.fields)
        surface.appendFields(record.id, of: self, to: &head.fields)
        if vendorFields.isEmpty, let vendorRequestID { head.add("X-Relay-Upstream-Request-Id", text: vendorRequestID) }
        if let billing, let server = billing.server {
            head.add("X-Relay-Provider", text: server.provider)
            head.fields.append("X-Relay-Attempts: ", decimal: billing.allAttempts, "\r\n")
            head.fields.append((lookup?.state ?? .off).line)
            if offersSearch || !ignored.isEmpty || !billing.leftOut.isEmpty {
                addIgnored(to: &head, by: server.provider, billing.leftOut)
            }
            if let day = server.shutdownDate { head.add("Sunset", text: day.httpDate) }
            if let cost = record.cost { head.add("X-Relay-Cost", text: cost.text) }
            if case let waited = Int(billing.allCapacityWaits / 1_000_000) + record.turnWaitMilliseconds, waited > 0 {
                head.fields.append("X-Relay-Waited: ")
                head.fields.append(decimal: waited / 1_000, rest: waited % 1_000, of: 1_000, least: 1_000)
                head.fields.append("\r\n")
            }
            if let bound = billing.loweredBound { head.add("X-Relay-Max-Tokens", text: "\(bound)") }
        } else if let lookup, lookup.state != .off {
            head.fields.append(lookup.state.line)
            if lookup.state == .hit { head.add("X-Relay-Attempts", "0") }
            if let cost = record.cost { head.add("X-Relay-Cost", text: cost.text) }
        }
        hasBegun = true
        // The content of the request is at the vendor, or no longer needed.
        if !keepsBody { request.body.giveBackLarge() }
        record.status = status
        record.firstByteNanoseconds = gateway.loop.now.nanoseconds(since: record.startedAt)
        return head
    }

    /// Adds the names of the request's fields and tools that the provider does not get.
    @inline(never)  // Rarely called.
    private func addIgnored(to head: inout ResponseHead, by provider: String, _ leftOut: [String]) {
        // A vendor of the same API gets all else that the client sent.
        let isOfMessages = (surface as? any ChatSurface)?.wire == .messages
        let isPassed = isOfMessages && gateway.registry.passesMessages(to: provider)
        var ignored = isPassed ? [] : ignored
        ignored += leftOut.filter { !ignored.contains($0) }
        if !isPassed, offersSearch, gateway.registry.lacksOfferedSearch(provider) { ignored.append("web_search") }
        // A client may give a field any name, such as one with a line end.
        let named = ignored.filter { $0.utf8.count <= 64 && $0.utf8.allSatisfy { 33...126 ~= $0 } }
        if !named.isEmpty { head.add("X-Relay-Ignored", text: named.joined(separator: ", ")) }
    }

    private func addOrigin(_ head: inout ResponseHead) {
        guard !gateway.isOpenToAllOrigins, let origin = request.listedOrigin(gateway.settings) else { return }
        head.add("Access-Control-Allow-Origin", text: origin)
    }

    // MARK: The end

    /// Counts and logs the request. It is called once, when the request has ended.
    func end() {
        lookup?.end()
        if let seconds = writer.stalledSeconds { record.record(stallSeconds: seconds) }
        let now = gateway.loop.now
        if let billing {
            record.name(provider: billing.provider)
            record.record(costOf: billing)
            if record.usage == nil { record.usage = billing.usageOfFailure }
            if billing.loweredBound != nil { gateway.counts.change(.lowered, by: 1) }
            let failures = billing.allFailures
            if !failures.isEmpty { record.failures = failures }
            for wait in billing.allVendorWaits { gateway.counts.count(wait.outcome, ofWaitFor: wait.provider) }
            for server in billing.impossibleUsage { record(impossibleUsageOf: server) }
            if let tier = record.usage?.serviceTier, let server = billing.server, server.price?.knows(tier) == false {
                warn(of: tier, of: server, at: now)
            }
        }
        if let given = request[.id], Self.isID(given) { record.givenID = given.text }
        record.count(in: gateway.counts, at: now)
        let isRefused = record.status == 401 || record.status == 403 || record.status == 404
        record.write(to: gateway.log, at: now, client: isRefused ? gateway.limits.client(of: request) : nil)
        if gateway.usage.isOn, hasUsageRecord(at: now) { keepUsage(at: now) }
    }

    @inline(never)  // Rarely called.
    private func record(impossibleUsageOf server: Billing.Server) {
        gateway.counts.count(impossibleUsageOf: server.provider)
        gateway.log.warning("the provider reported impossible usage; the relay's own count is used") { line in
            line.add("id", record.id)
            line.add("provider", server.provider)
            line.add("model", server.model)
        }
    }

    @inline(never)  // Rarely called.
    private func warn(of tier: ServiceTier, of server: Billing.Server, at now: LoopTime) {
        guard gateway.process.unpricedTiers.begins("\(server.provider) \(server.model)", at: now) else { return }
        gateway.log.warning("a service tier has no price; its responses count at the plain price") { line in
            line.add("provider", server.provider)
            line.add("model", server.model)
            line.add("service_tier", tier.rawValue)
            line.add("remedy", "add \(tier.rawValue) PRICE to the model's price in the settings")
        }
    }

    /// Returns whether the request gets a usage record: what strangers send must not fill the disk.
    private func hasUsageRecord(at now: LoopTime) -> Bool {
        guard record.isOfEndpoint, !record.isRoutinePoll, !record.isOfOperator else { return false }
        if asking?.caller.kind == .known { return true }
        if record.status == 401 || asking == nil && record.status == 429 {
            return gateway.process.refusedAddresses.begins(gateway.limits.address(request), at: now)
        }
        // A reload that failed is one that was permitted.
        let isReload = !isShared && record.status != 403 && record.status != 404
        return record.status < 400 || record.status == 429 || billing?.server != nil || isReload
    }

    @inline(never)  // Called only if usage is recorded.
    private func keepUsage(at now: LoopTime) {
        // Each access to a property of this object would count a reference.
        let (gateway, billing, recorder) = (gateway, billing, recorder)
        let counts = gateway.counts
        if let only = billing?.onlyRecord {
            var request = usageRecord(CollectionOfOne(only), billing, counts, at: now)
            let calls = request.add(only, at: now) ? [] : [record.usageRecord(only, counts, at: now)]
            // Without `consume`, Swift copies the long record, and counts a reference for each of its texts.
            keep(FinishedRequest(consume request, calls: calls, bodies: recorder?.bodies), recorder)
        } else {
            let calls = billing?.allRecords ?? []
            let request = usageRecord(calls, billing, counts, at: now)
            let separate = calls.map { record.usageRecord($0, counts, at: now) }
            keep(FinishedRequest(request, calls: separate, bodies: recorder?.bodies), recorder)
        }
    }

    private func keep(_ request: FinishedRequest, _ recorder: BodyRecorder?) {
        guard let recorder else { return gateway.usage.record(request) }
        recorder.finish { [usage = gateway.usage] in usage.record(request) }
    }

    @inline(__always)
    private func usageRecord(
        _ calls: some Collection<CallRecord>,
        _ billing: Billing?,
        _ counts: LoopMetrics,
        at now: LoopTime
    ) -> UsageRecord {
        var request = record.usageRecord(
            calls,
            billing,
            limits: counted.recordText,
            session: self.request.sessionName,
            counts: counts,
            at: now
        )
        if gateway.settings.recordedUsers != .off { request.endUser = recordedUser }
        request.firstByteMilliseconds = record.firstByteNanoseconds.map { Int($0 / 1_000_000) }
        request.limitsWaitMilliseconds = Int(limitsWaitNanoseconds / 1_000_000)
        request.capacityWaitMilliseconds = Int((billing?.allCapacityWaits ?? 0) / 1_000_000)
        return request
    }

    /// The end user of a known caller, as usage records name the user; nil if the request names none.
    private var recordedUser: String? {
        guard let caller = asking?.caller, caller.key != nil, let name = caller.name else { return nil }
        let settings = gateway.settings
        let scope = settings.recordedUsers == .digest ? gateway.storeScope : nil
        return (record.user ?? EndUser()).recorded(at: settings.limits.userPlaces, of: request, name, in: scope)
    }

    /// Returns whether the text is a valid request id: at most 64 letters, digits, `.`, `_` and `-`.
    private static func isID(_ text: UnsafeRawBufferPointer) -> Bool {
        1...64 ~= text.count && text.allSatisfy { $0.isLetterOrDigit(or: "-._") }
    }
}

extension Exchange {
    /// Counts and logs the request, which has ended. Call it once, when the response has been written.
    func finish() {
        if let operation { countOperation(operation) }
        end()
        if gateway.hasOperator { gateway.running.remove(self) }
    }

    private func countOperation(_ kind: Operation.Kind) {
        let now = gateway.loop.now
        let provider = billing?.provider
        var operation = Operation(
            kind,
            model: record.model,
            provider: provider,
            status: record.status,
            fault: record.fault
        )
        operation.durationNanoseconds = now.nanoseconds(since: record.startedAt)
        if provider != nil { operation.callNanoseconds = now.nanoseconds(since: admittedAt) }
        operation.firstTokenNanoseconds = record.firstByteNanoseconds
        operation.usage = record.usage
        gateway.counts.count(operation)
    }
}

extension Exchange: RunningEntry {
    var isOfPage: Bool { record.isOfOperator }

    var running: RunningRequest {
        let age = gateway.loop.now.milliseconds(since: record.startedAt)
        let wait: RunningRequest.Wait? =
            if limitsWaitStart != nil {
                .limits
            } else if let billing {
                billing.isWaitingForCapacity ? .capacity : hasBegun ? nil : .provider
            } else {
                nil
            }
        return RunningRequest(
            id: record.id,
            caller: record.caller,
            model: record.model,
            endpoint: record.route == nil ? nil : gateway.counts.routeName(record.routeLabel),
            provider: billing?.provider,
            startMilliseconds: Timestamp.now() - age,
            ageMilliseconds: age,
            wait: wait,
            bytes: max(0, writer.sentBytes &- sentBefore),
            isStreamed: record.isStreaming
        )
    }
}

/// A responder for requests that the HTTP server refused before an `Exchange` began. It sends the error response.
struct RefusedHead {
    let gateway: Gateway
    let surface: any Surface

    func respond(_ refusal: RequestError, _ writer: any ResponseWriter) {
        var record = RequestRecord(id: gateway.ids.id("req_"), startedAt: gateway.loop.now)
        gateway.counts.change(.requests, by: 1)
        var error = APIError(refusal)
        error.requestID = record.id
        record.record(error)
        var body = ByteBuffer()
        surface.append(error, isMidStream: false, to: &body)
        let status = surface.status(of: error)
        var head = gateway.head(status, type: "application/json", id: record.id, since: record.startedAt)
        surface.appendFields(record.id, of: nil, to: &head.fields)
        if refusal.status == 405 {
            head.add("Allow", text: Method.allCases.map { "\($0.name)" }.joined(separator: ", "))
        }
        head.addRetry(error)
        record.firstByteNanoseconds = 0
        writer.send(head, body: body)
        record.count(in: gateway.counts, at: gateway.loop.now)
        record.write(to: gateway.log, at: gateway.loop.now)
    }
}

extension Gateway {
    /// Returns a response head with the header lines of all responses.
    /// - Parameter isShared: whether web pages of other sites may read the response.
    fileprivate func head(
        _ status: Int,
        type: StaticString?,
        id: String,
        since startedAt: LoopTime,
        isShared: Bool = true
    ) -> ResponseHead {
        var head = ResponseHead(status: status)
        if let type { head.add("Content-Type", type) }
        head.add("X-Request-ID", text: id)
        head.fields.append("OpenAI-Processing-Ms: ", decimal: loop.now.milliseconds(since: startedAt), "\r\n")
        if isShared {
            head.fields.append(commonFields.bytes)
        } else {
            head.fields.append(Gateway.plainFields.bytes)
        }
        return head
    }
}

extension ResponseHead {
    fileprivate mutating func addRetry(_ error: APIError) {
        if let seconds = error.retryAfterSeconds {
            add("Retry-After", text: "\(seconds)")
            add("Retry-After-Ms", text: "\(seconds * 1_000)")
        }
        let isLongWait = error.retryAfterSeconds.map { $0 > 120 } ?? false
        if error.isRetryUseless || isLongWait { add("X-Should-Retry", "false") }
    }
}

extension [LimitCharge] {
    /// The limits of the charges as text for the usage record; nil if there are no charges.
    fileprivate var recordText: String? { isEmpty ? nil : map(\.limit.text).joined(separator: "; ") }
}
