import Engine

extension ToolCallParser {
    // MARK: Tags

    /// Consumes a byte that might continue a tag. Returns false, without consuming the byte, if it does not.
    mutating func tag(_ byte: UInt8, _ pass: Pass) -> Bool {
        held.append(byte)
        return opens(from: 0, pass)
    }

    /// Returns whether the held bytes from `start` are a tag or its beginning. If not, emits the held bytes except the
    /// last one as text.
    private mutating func opens(from start: Int, _ pass: Pass) -> Bool {
        switch ToolCallTag.match(held.bytes[part: start..<held.count], closings: false) {
        case .beginning: return true
        case .opening(let tag):
            open(tag, pass)
            return true
        case .none, .closing:
            held.removeLast(1)
            passHeld(pass)
            return false
        }
    }

    private mutating func open(_ tag: ToolCallTag, _ pass: Pass) {
        (closing, isClosed, isFenceLine, isBare, unknownKeys) = (tag.closing, false, false, false, 0)
        switch tag.body {
        case .json: phase = .seeking
        case .named: (phase, valueStart) = (.named, held.count)
        case .result:
            if calls == 0 { return passHeld(pass) }
            held.removeAll()
            spaces.removeAll()
            phase = .over
        }
        alienStart = held.count
    }

    mutating func seeking(_ byte: UInt8, _ pass: Pass) -> Bool {
        held.append(byte)
        if isOver(Self.spaceLimitBytes, byte) {
            held.removeLast(1)
            passHeld(pass)
            return false
        }
        if isFenceLine {
            if byte == 10 { isFenceLine = false }
            alienStart = held.count
            return true
        }
        // A tag may directly follow a tag.
        if held.count - 1 > alienStart { return opens(from: alienStart, pass) }
        switch byte {
        case _ where Self.isSpace(byte): alienStart = held.count
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            (scan, valueStart) = (ValueScan(), held.count - 1)
            _ = scan.consume(byte)
            phase = .value
        case UInt8(ascii: "`"):
            isFenceLine = true
            alienStart = held.count
        case UInt8(ascii: "<"): break
        default:
            held.removeLast(1)
            passHeld(pass)
            return false
        }
        return true
    }

    // MARK: JSON

    /// Consumes bytes of a tool call's JSON, from the index `from`. Returns the index after the consumed bytes.
    mutating func value(_ piece: UnsafeRawBufferPointer, _ from: Int, _ pass: Pass) -> Int {
        for index in from..<piece.count {
            let step = scan.consume(piece[index])
            if case .inside = step { continue }
            if isBare, case .alien = step {
                held.append(piece[part: from..<index])
                breakOff("it is not valid JSON", pass)
                phase = .text
                return index
            }
            held.append(piece[part: from..<(index + 1)])
            if case .end = step {
                finishValue(pass)
            } else {
                alienStart = held.count - 1
                phase = .recovery
            }
            return index + 1
        }
        held.append(piece[part: from..<piece.count])
        if held.count > Self.limitBytes { passHeld(pass) }
        return piece.count
    }

    /// Returns whether the possible tool call in `held` has more than `limitBytes` bytes. If the limit is within a
    /// character, up to eight more bytes are allowed.
    /// - Parameter byte: the last byte of `held`.
    func isOver(_ limitBytes: Int, _ byte: UInt8) -> Bool {
        held.count > limitBytes && (byte & 0xc0 != 0x80 || held.count > limitBytes + 8)
    }

    private mutating func finishValue(_ pass: Pass) {
        do throws(ToolCallReader.Problem) {
            let found = try reader.calls(held.bytes[part: valueStart..<held.count], hasControls: scan.hasControls)
            hand(found, pass)
        } catch {
            problem = error.reason
        }
        phase = .after
    }

    private mutating func hand(_ found: [ParsedToolCall], _ pass: Pass) {
        held.removeAll()
        spacesAtCall = spaces.count
        for call in found where calls < maxCalls {
            calls += 1
            isTextLast = false
            pass(.call(call))
        }
    }

    /// Parses a tool call that the vendor sent as fields of its API. Call it at the end of the response.
    mutating func consume(native name: UnsafeRawBufferPointer, _ arguments: UnsafeRawBufferPointer, _ pass: Pass) {
        held.removeAll()
        held.append(#"{"name":"#, json: name)
        held.append(#","arguments":"#, json: arguments, "}")
        guard held.count <= Self.limitBytes else { return breakOff("it is too long", pass) }
        do throws(ToolCallReader.Problem) {
            let found = try reader.calls(held.bytes, hasControls: false)
            hand(found, pass)
        } catch {
            breakOff(error.reason, pass)
        }
    }

    /// Consumes a byte after an error in the JSON of a tool call. Returns false, without consuming the byte, if the
    /// tool call is too long.
    mutating func recovery(_ byte: UInt8, _ pass: Pass) -> Bool {
        held.append(byte)
        let closingBytes = closing.utf8CodeUnitCount
        if isOver(Self.limitBytes, byte) {
            held.removeLast(1)
            breakOff("it is not valid JSON", pass)
            phase = .text
            return false
        }
        guard byte == closing.utf8Start[closingBytes - 1], held.count >= valueStart + closingBytes,
            held.bytes[part: (held.count - closingBytes)..<held.count].equals(closing)
        else { return true }
        isClosed = true
        if held.count - closingBytes == alienStart, let found = completed() {
            hand(found, pass)
        } else {
            problem = "it is not valid JSON"
        }
        phase = .after
        return true
    }

    /// Adds missing closing braces to the JSON and parses it. Returns the tool calls; nil if the JSON is still invalid.
    private func completed() -> [ParsedToolCall]? {
        guard (1...2).contains(scan.depth) else { return nil }
        var text = ByteBuffer()
        var end = alienStart
        while Self.isSpace(held.bytes[end - 1]) { end -= 1 }
        text.append(held.bytes[part: valueStart..<end])
        for _ in 0..<scan.depth { text.append(UInt8(ascii: "}")) }
        return try? reader.calls(text.bytes, hasControls: scan.hasControls)
    }

    mutating func breakOff(_ reason: String, _ pass: Pass) {
        let raw = Self.consumeAll(of: &held)
        problem = nil
        brokenCalls += 1
        if calls >= maxCalls { return }
        isTextLast = true
        passSpaces(pass)
        pass(.broken(raw: raw.bytes, reason: reason))
    }

    // MARK: Other forms

    /// Consumes a byte of a tool call such as `<function=get_weather>{"city":"Paris"}</function>`.
    ///
    /// Returns false, without consuming the byte, if the name or the whole tool call is too long.
    mutating func named(_ byte: UInt8, _ pass: Pass) -> Bool {
        held.append(byte)
        if alienStart == valueStart {
            // The name ends at `>`.
            if byte != UInt8(ascii: ">") {
                guard isOver(valueStart + 80, byte) else { return true }
                held.removeLast(1)
                passHeld(pass)
                return false
            }
            alienStart = held.count
            if !reader.isTool(name()) { passHeld(pass) }
            return true
        }
        let closingBytes = closing.utf8CodeUnitCount
        if isOver(Self.limitBytes, byte) {
            held.removeLast(1)
            breakOff("it is too long", pass)
            phase = .text
            return false
        }
        guard byte == UInt8(ascii: ">"), held.count >= alienStart + closingBytes,
            held.bytes[part: (held.count - closingBytes)..<held.count].equals(closing)
        else { return true }
        let body = held.bytes[part: alienStart..<(held.count - closingBytes)]
        var text = ByteBuffer()
        text.append(#"{"name":"#, json: name(), #","arguments":"#)
        ValueScan.append(body, to: &text)
        text.append("}")
        isClosed = true
        phase = .after
        if let found = try? reader.calls(text.bytes, hasControls: false) {
            hand(found, pass)
        } else {
            problem = "its arguments are not written as one JSON object"
        }
        return true
    }

    private func name() -> UnsafeRawBufferPointer {
        var (from, to) = (valueStart, alienStart - 1)
        while from < to, held.bytes[from] == 34 || held.bytes[from] == 39 { from += 1 }
        while from < to, held.bytes[to - 1] == 34 || held.bytes[to - 1] == 39 { to -= 1 }
        return held.bytes[part: from..<max(from, to)]
    }

    // MARK: After a call

    mutating func after(_ byte: UInt8, _ pass: Pass) -> Bool {
        if !tail.isEmpty || ToolCallTag.isFirst(byte) { return tailTag(byte, pass) }
        switch byte {
        case _ where Self.isSpace(byte):
            if problem != nil {
                if held.count < Self.limitBytes { held.append(byte) }
            } else if spaces.count < Self.spaceLimitBytes {
                spaces.append(byte)
            }
            return true
        case UInt8(ascii: "{") where !isClosed:
            // Another call follows, in the same tag or without one.
            if let problem { breakOff(problem, pass) }
            held.append(byte)
            (scan, valueStart) = (ValueScan(), 0)
            _ = scan.consume(byte)
            phase = .value
            return true
        case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: "`"):
            guard !isClosed, unknownKeys < 8 else { break }
            unknownKeys += 1
            if problem != nil { held.append(byte) }
            return true
        default: break
        }
        endAfter(pass)
        return false
    }

    private mutating func tailTag(_ byte: UInt8, _ pass: Pass) -> Bool {
        tail.append(byte)
        switch ToolCallTag.match(tail.bytes, closings: true) {
        case .beginning: break
        case .closing:
            // The closing tag ends the text before it, too.
            if problem != nil {
                held.append(tail.bytes)
            } else {
                spaces.removeLast(max(0, spaces.count - spacesAtCall))
            }
            tail.removeAll()
            isClosed = true
        case .opening(let tag):
            if let problem { breakOff(problem, pass) }
            held = Self.consumeAll(of: &tail)
            open(tag, pass)
        case .none:
            tail.removeLast(1)
            endAfter(pass)
            return false
        }
        return true
    }

    mutating func endAfter(_ pass: Pass) {
        if let problem { breakOff(problem, pass) }
        phase = .text
        if tail.isEmpty { return }
        held = Self.consumeAll(of: &tail)
        passHeld(pass)
    }

    /// Ends a response that stops after a tool call, possibly in the middle of the closing tag.
    mutating func finishAfter(_ pass: Pass) {
        if tail.count > 1, tail.bytes[1] == UInt8(ascii: "/"), !isClosed, problem == nil {
            tail.removeAll()
        } else if problem != nil {
            held.append(tail.bytes)
            tail.removeAll()
        }
        endAfter(pass)
    }
}
