import Engine
import Shared

/// The keys of members of a family, as lines of a CSV file.
struct MemberKeys {
    struct Request: Equatable {
        let family: String
        let members: [String]
        /// The file with further names, one a line; nil for none.
        let file: String?
        let makesSlugs: Bool
        /// The last day of the keys, such as `2027-01-31`; nil if they have no end of their own.
        let lastDay: String?
        /// The file that gets the keys; nil for the standard output.
        let output: String?

        /// Takes the arguments after `key NAME`; nil if they ask for no member's key.
        init?(of family: String, _ given: inout CommandArguments) {
            self.family = family
            var members: [String] = []
            while let member = given.takeWord() { members.append(member) }
            self.members = members
            file = given.takeValue(of: "--file")
            if members.isEmpty, file == nil { return nil }
            makesSlugs = given.take("--slug")
            (lastDay, output) = (given.takeValue(of: "--expires"), given.takeValue(of: "--output"))
        }
    }

    private var lines: [String] = []
    /// The warnings that keys are refused, because they have ended or are revoked; empty if none is.
    private(set) var warning = ""

    init(_ request: Request, _ settings: Settings) throws(CommandFailure) {
        let (instance, key) = (request.family.asInstance, settings.keys.named(request.family))
        guard let family = key?.family, family.rule == nil, key?.member == nil else {
            let advice = "set it to a secret of at least 32 characters, as `openssl rand -hex 24` makes one"
            throw CommandFailure(text: "KEY_\(instance)_SECRET is not set; \(advice)", isMistake: true)
        }
        let last = try request.lastDay.map { (text) throws(CommandFailure) in try Self.day(text) }
        let zone = DayZone(named: settings.timeZone)
        if let last, last < zone.today {
            warning = "key: \(last.text) is over, so these keys are refused\n"
        } else if let last, let end = key?.endsAt, end < zone.startMilliseconds(of: last.adding(days: 1)) {
            let setting = end == .min ? "ENABLED=false refuses these keys" : "EXPIRES ends these keys earlier"
            warning = "key: KEY_\(instance)_\(setting)\n"
        }
        var seen: [String: String] = [:]
        for (place, name) in try Self.names(request) {
            let member = request.makesSlugs ? Self.slug(name) : name
            guard KeyFamily.isMember(member) else {
                let advice =
                    !request.makesSlugs
                    ? "; --slug makes such a name of it"
                    : member.isEmpty ? "; write this name in Latin letters" : "; shorten this name"
                throw CommandFailure(text: "\(place)a member is 1 to 64 of a-z, 0-9, _ and -\(advice)", isMistake: true)
            }
            if let other = seen.updateValue(place, forKey: member) {
                let before = other.isEmpty ? "" : " (\(other.dropLast(2)))"
                throw CommandFailure(text: "\(place)the member \(member) is named twice\(before)", isMistake: true)
            }
            if family.revokes(member, last: last) { warning += "key: \(member) is revoked, so this key is refused\n" }
            let key = family.key(of: member, last: last)
            lines.append(request.makesSlugs ? "\(Self.csv(name)),\(member),\(key)\n" : "\(member),\(key)\n")
        }
    }

    private static func day(_ text: String) throws(CommandFailure) -> Day {
        guard let day = text.withBytes({ Day($0) }), day.number > 0 else {
            throw CommandFailure(text: "the last day of a key is a date such as 2027-01-31", isMistake: true)
        }
        return day
    }

    /// Returns the names in the arguments and in the file. Each has its place for errors, such as `line 3: `.
    private static func names(_ request: Request) throws(CommandFailure) -> [(place: String, name: String)] {
        var names = request.members.map { (place: "", name: $0) }
        guard let file = request.file else { return names }
        guard let bytes = WholeFile.read(file, limitBytes: 16_777_216),
            let text = String(validating: bytes.withoutByteOrderMark, as: UTF8.self)
        else {
            throw CommandFailure(text: "the file of names cannot be read, or is not UTF-8")
        }
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let name = String(line.trimmed)
            if !name.isEmpty { names.append(("line \(index + 1): ", name)) }
        }
        if names.isEmpty { throw CommandFailure(text: "the file has no names", isMistake: true) }
        return names
    }

    /// Returns the name of a member that looks like another name: `ann-lee` for `Ann Lee`, whose letters have no marks; empty
    /// if the other name has letters that are not Latin.
    private static func slug(_ name: String) -> String {
        let parts = name.lowercased().map { letter in folds.first { $0.letters.contains(letter) }?.plain ?? "\(letter)"
        }
        let plain = parts.joined()
        guard !plain.contains(where: { $0.isLetter && !$0.isASCII }) else { return "" }
        return plain.split { !KeyFamily.isMember("\($0)") }.joined(separator: "-")
    }

    /// The Latin letters with marks, and what stands for them.
    private static let folds: [(plain: String, letters: String)] = [
        ("a", "àáâãäåāăąǎạảấầẩẫậắằẳẵặ"), ("ae", "æ"), ("c", "çćĉċč"), ("d", "ðďđ"), ("e", "èéêëēĕėęěẹẻẽếềểễệ"),
        ("g", "ĝğġģ"), ("h", "ĥħ"), ("i", "ìíîïĩīĭįıǐỉị"), ("j", "ĵ"), ("k", "ķ"), ("l", "ĺļľŀł"), ("n", "ñńņňŋ"),
        ("o", "òóôõöøōŏőǒọỏốồổỗộơớờởỡợ"), ("oe", "œ"), ("r", "ŕŗř"), ("s", "śŝşšșſ"), ("ss", "ß"), ("t", "ţťŧț"),
        ("th", "þ"), ("u", "ùúûüũūŭůűųǔụủưứừửữự"), ("w", "ŵẁẃẅ"), ("y", "ýÿŷỳỵỷỹ"), ("z", "źżž"),
    ]

    private static func csv(_ field: String) -> String {
        field.contains { $0 == "," || $0 == "\"" } ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
    }

    /// Writes the keys to a file that only its owner can read. Returns the text for the standard output.
    func write(to path: String?) throws(CommandFailure) -> String {
        let text = lines.joined()
        guard let path else { return text }
        guard WholeFile.write(Array(text.utf8), to: path, by: path + ".new") else {
            throw CommandFailure(text: "\(path) cannot be written: \(systemError.lowercased())")
        }
        return "\(lines.count) keys are in \(path)\n"
    }
}

struct NewKey {
    /// The NAME of the caller, as in `KEY_<NAME>_TOKEN`.
    private let instance: String
    private let token: String

    /// Creates a random key for the caller with this name; nil if the name is invalid.
    init?(_ name: String) {
        instance = name.asInstance
        guard SettingFamily.isInstanceName(instance[...]), instance.utf8.count <= 64 else { return nil }
        let random = RandomBytes()
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next() as UInt64) { Array($0) } }
        token = "sk-relay-" + Base64.url.text(bytes)
    }

    /// The settings that declare the new key, as lines for a `.env` file.
    var lines: String {
        """
        KEY_\(instance)_TOKEN=\(token)
        # KEY_\(instance)_MODELS=all
        # KEY_\(instance)_RATE_LIMIT=60/minute

        """
    }

    /// A line that says where another key of this name is set, and what becomes of it; empty if there is none.
    var warning: String {
        guard let (setting, place) = Settings.declaration(ofKey: instance) else { return "" }
        let name = "KEY_\(instance)_TOKEN"
        let advice =
            setting == name
            ? "the new key replaces the present one, or is a second one as \(name)=NEW,PRESENT"
            : "a caller has only one of it and \(name), so choose another NAME"
        return "key: \(setting) is set already (\(place)); \(advice)\n"
    }

    var json: String { #"{"setting":"KEY_\#(instance)_TOKEN","token":"\#(token)"}"# + "\n" }
}
