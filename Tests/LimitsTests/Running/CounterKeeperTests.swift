import Engine
import Glibc
import Support
import Testing

@testable import Limits

/// A folder of a test's own, and relays that use it one after the other.
private final class Relays {
    final class Running {
        let limiter: Limiter
        let keeper: CounterKeeper
        private let reported: Lock<[CounterKeeperEvent]>

        var events: [CounterKeeperEvent] { reported.withLock { $0 } }

        init(_ folder: String, _ clock: TestClock, limitBytes: Int, machineAhead: Int) {
            let (reported, time) = (Lock<[CounterKeeperEvent]>([]), clock.clock)
            self.reported = reported
            limiter = Limiter(store: nil, clock: time)
            keeper = CounterKeeper(
                of: limiter,
                in: folder,
                limitBytes,
                machineWall: { time.now().wall + machineAhead },
                onEvent: { event in reported.withLock { $0.append(event) } }
            )
            keeper.start(waitingUntil: .distantPast) { false }
        }

        func admits(_ limit: Limit, _ identity: Identity = .everybody, units: Int = 1) -> Bool {
            limiter.reserveInMemory([LimitCharge(limit, identity, units: units)])?.decision.isAdmitted ?? false
        }
    }

    let folder: String
    let clock = TestClock()
    var path: String { "\(folder)/counters" }

    init() throws {
        var name = Array("/tmp/counters-XXXXXX".utf8CString)
        folder = try #require(mkdtemp(&name).map { String(cString: $0) })
    }

    deinit {
        for name in ["counters", "counters.new", "counters.broken", "lock"] { unlink("\(folder)/\(name)") }
        rmdir("\(folder)/counters.new")
        rmdir(folder)
    }

    func start(limitBytes: Int = 1_000_000, machineAhead: Int = 0) -> Running {
        Running(folder, clock, limitBytes: limitBytes, machineAhead: machineAhead)
    }

    func write(_ bytes: [UInt8]) { #expect(WholeFile.write(bytes, to: path, by: "\(path).new")) }
}

@Suite struct CounterKeeperTests {
    private let day = Limit(.total, Quota(3, per: .day))
    private let relays: Relays

    init() throws { relays = try Relays() }

    @Test("counters outlive the process, also where nobody asks for them for a while")
    func restart() throws {
        let first = relays.start()
        #expect((0..<4).map { _ in first.admits(day) } == [true, true, true, false])
        #expect(first.admits(day, .knownKey(named: "A")))
        first.keeper.stop()
        // Only the other caller asks.
        let second = relays.start()
        #expect(second.events == [.restored(counters: 2)])
        #expect(second.admits(day, .knownKey(named: "A")) && second.admits(day, .knownKey(named: "A")))
        second.keeper.stop()
        let third = relays.start()
        #expect(third.limiter.knownUses([LimitCharge(day, .everybody)])[0].used == 3)
        #expect(!third.admits(day) && !third.admits(day, .knownKey(named: "A")))
        third.keeper.stop()
        relays.clock.advance(microseconds: 86_400_000_000 + 1_440_000_000)
        let fourth = relays.start()
        #expect(fourth.events == [.restored(counters: 0)])
        #expect(fourth.admits(day))
        fourth.keeper.stop()
    }

    @Test("a file of counters that others may read is closed to them at the start")
    func permissions() throws {
        let first = relays.start()
        #expect(first.admits(day))
        first.keeper.stop()
        chmod(relays.path, 0o666)
        let second = relays.start()
        var status = stat()
        #expect(stat(relays.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        second.keeper.stop()
    }

    @Test("what was given back or reset stays so")
    func settled() {
        let tokens = Limit(.total, Quota(100, .tokens, per: .day))
        let first = relays.start()
        first.limiter.reserveInMemory([LimitCharge(tokens, .everybody, units: 90)])?.settle(used: Amounts(tokens: 10))
        #expect(first.admits(day, units: 3))
        first.keeper.stop()
        let second = relays.start()
        #expect(!second.admits(tokens, units: 91) && second.admits(tokens, units: 90))
        second.limiter.resetHere(LimitCharge(day, .everybody))
        second.keeper.stop()
        let third = relays.start()
        #expect(third.admits(day, units: 3) && !third.admits(tokens))
        third.keeper.stop()
    }

    @Test("short windows, slots, logins and wrong keys are not kept")
    func leftOut() {
        let limits = [
            Limit(.total, Quota(1, per: .second, times: 59)), Limit(.failedAuth, Quota(1, per: .day)),
            Limit(.login, Quota(1, per: .day)),
        ]
        let first = relays.start()
        for limit in limits { #expect(first.admits(limit)) }
        #expect(first.admits(Limit(.total, Quota(1, .concurrent, per: .second))))
        #expect(first.admits(Limit(.total, Quota(1, per: .minute))))
        first.keeper.stop()
        let second = relays.start()
        #expect(second.events == [.restored(counters: 1)])
        for limit in limits { #expect(second.admits(limit)) }
        second.keeper.stop()
    }

    @Test("a limit whose number has changed keeps its count, one whose window has changed starts anew")
    func changed() {
        let first = relays.start()
        #expect(first.admits(day, units: 3))
        first.keeper.stop()
        let second = relays.start()
        #expect(!second.admits(Limit(.total, Quota(4, per: .day)), units: 2))
        #expect(second.admits(Limit(.total, Quota(4, per: .day))))
        #expect(second.admits(Limit(.total, Quota(4, per: .day, times: 2)), units: 4))
        second.keeper.stop()
    }

    @Test(
        "a file that is not readable is put aside",
        arguments: [[], Array("garbage".utf8), Array("relaycnt\u{2}".utf8)]
    )
    func broken(_ bytes: [UInt8]) {
        relays.write(bytes)
        let relay = relays.start()
        let readError: CounterFile.ReadError = bytes.count == 9 ? .version : .format
        #expect(relay.events == [.broken(reason: readError.rawValue, keptAs: "\(relays.path).broken")])
        #expect(relay.admits(day))
        relay.keeper.stop()
        #expect(WholeFile.read("\(relays.path).broken", limitBytes: 100) == bytes)
        let next = relays.start()
        #expect(next.events == [.restored(counters: 1)])
        next.keeper.stop()
    }

    @Test("a process that finds the folder in use counts in memory alone")
    func held() throws {
        guard case .acquired(let lock) = FileLock.acquire("\(relays.folder)/lock") else {
            Issue.record("no lock")
            return
        }
        let relay = relays.start()
        #expect(relay.events == [.waits, .heldByAnother] || relay.events == [.heldByAnother])
        #expect(relay.admits(day))
        relay.keeper.stop()
        #expect(access(relays.path, F_OK) != 0)
        withExtendedLifetime(lock) {}
        mkdir("\(relays.folder)/lock2", 0o700)
        guard case .failed = FileLock.acquire("\(relays.folder)/lock2") else {
            Issue.record("a lock of a folder")
            return
        }
        rmdir("\(relays.folder)/lock2")
    }

    @Test("a lock ends with its holder, also while a child that is being started has the file open")
    func inherited() throws {
        let path = "\(relays.folder)/lock"
        func copyOfHeldFile() -> Int32? {
            guard case .acquired(let lock) = FileLock.acquire(path) else { return nil }
            let file = (0..<65_536).first { (file: Int32) in
                var target = [CChar](repeating: 0, count: path.utf8.count + 2)
                return readlink("/proc/self/fd/\(file)", &target, target.count) == path.utf8.count
                    && target.prefix(path.utf8.count).elementsEqual(path.utf8.map { CChar(bitPattern: $0) })
            }
            return withExtendedLifetime(lock) { file.map { dup($0) } }
        }
        let copy = try #require(copyOfHeldFile())
        defer { close(copy) }
        guard case .acquired = FileLock.acquire(path) else {
            Issue.record("the lock outlived its holder")
            return
        }
    }

    @Test("errors of writing are told once, and so is their end")
    func unwritten() {
        mkdir("\(relays.path).new", 0o700)
        let relay = relays.start()
        #expect(relay.admits(day))
        relay.keeper.stop()
        #expect(relay.events == [.unwritten(reason: "Is a directory")])
    }

    @Test("of too many counters those with the largest part used stay")
    func overfull() {
        let relay = relays.start(limitBytes: 2_000)
        for number in 0..<100 { #expect(relay.admits(day, .address("\(number)"), units: number % 10 == 0 ? 3 : 1)) }
        relay.keeper.stop()
        guard case .overfull(let kept, 100)? = relay.events.last else {
            Issue.record("\(relay.events)")
            return
        }
        #expect((10..<100).contains(kept))
        #expect((WholeFile.read(relays.path, limitBytes: 10_000)?.count ?? 0) <= 2_000)
        let next = relays.start()
        for number in stride(from: 0, to: 100, by: 10) { #expect(!next.admits(day, .address("\(number)"))) }
        next.keeper.stop()
    }

    @Test("a clock that was wrong refunds nothing", arguments: [-3_600_000_000, 3_600_000_000])
    func clocks(_ ahead: Int) {
        relays.clock.advance(microseconds: ahead)
        // The machine's clock was set right while the process ran.
        let first = relays.start(machineAhead: -ahead)
        let hour = Limit(.total, Quota(3, per: .hour))
        #expect(first.admits(hour, units: 3))
        first.keeper.stop()
        relays.clock.advance(microseconds: 5_000_000 - ahead)
        let second = relays.start()
        #expect(second.events == [.restored(counters: 1)] + (ahead > 0 ? [.ahead(counters: 1)] : []))
        #expect(!second.admits(hour))
        relays.clock.advance(microseconds: 3_700_000_000)
        #expect(second.admits(hour, units: 3))
        second.keeper.stop()
    }
}

extension Limiter {
    /// Resets the counters of a claim, as an operator's reset does without a store.
    fileprivate func resetHere(_ charge: LimitCharge) {
        ledger.update { ledger, now in
            if let account = ledger.account(of: charge, at: now) { ledger.forget(account, at: now) }
        }
    }
}
