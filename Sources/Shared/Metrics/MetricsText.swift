package import Engine

/// A writer of Prometheus' text format, version 0.0.4.
package struct MetricsText: ~Copyable {
    package private(set) var body = ByteBuffer()
    private var name: StaticString = ""

    package init() {}

    /// Writes the name, help and type of a metric (a family in Prometheus), and its value if it is the only one. The
    /// samples that follow belong to this metric. Call one of these functions once for each metric.
    package mutating func counter(_ name: StaticString, _ help: StaticString, _ value: Int? = nil) {
        family(name, " counter\n", help, value)
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: Int? = nil) {
        family(name, " gauge\n", help, value)
    }

    package mutating func histogram(_ name: StaticString, _ help: StaticString) {
        family(name, " histogram\n", help, nil)
    }

    private mutating func family(_ name: StaticString, _ type: StaticString, _ help: StaticString, _ value: Int?) {
        self.name = name
        body.append("# HELP ", name, " ")
        body.append(help)
        body.append("\n# TYPE ", name, type)
        if let value { sample(value: value) }
    }

    package mutating func sample(_ labels: (StaticString, String)..., value: Int) {
        begin("", labels)
        body.append(decimal: value)
        body.append("\n")
    }

    package mutating func sample(_ labels: (StaticString, String)..., billionths: Int) {
        begin("", labels)
        append(billionths, of: 1_000_000_000)
        body.append("\n")
    }

    package mutating func sample(_ labels: (StaticString, String)..., trillionths: Int) {
        begin("", labels)
        append(trillionths, of: 1_000_000_000_000)
        body.append("\n")
    }

    /// Writes a histogram. `counts` contains the count of each bucket (not cumulative), then the sum of all values.
    package mutating func histogram(_ labels: (StaticString, String)..., of buckets: Buckets, _ counts: [Int]) {
        precondition(counts.count == buckets.count + 1)
        // To Prometheus an empty label is the same as an absent one.
        let labels = labels.filter { !$0.1.isEmpty }
        var count = 0
        for (index, more) in counts.dropLast().enumerated() {
            count += more
            begin("_bucket", labels, isOpen: true)
            body.append(",le=\"")
            if index < buckets.edges.count {
                append(Int(buckets.edges[index]), of: buckets)
            } else {
                body.append("+Inf")
            }
            body.append("\"} ", decimal: count, "\n")
        }
        begin("_sum", labels)
        append(counts[buckets.count], of: buckets)
        body.append("\n")
        begin("_count", labels)
        body.append(decimal: count)
        body.append("\n")
    }

    private mutating func append(_ value: Int, of buckets: Buckets) {
        if buckets.areTimes { append(value, of: 1_000_000_000) } else { body.append(decimal: value) }
    }

    private mutating func begin(_ suffix: StaticString, _ labels: [(StaticString, String)], isOpen: Bool = false) {
        body.append(name)
        body.append(suffix)
        for (index, label) in labels.enumerated() {
            body.append(index == 0 ? "{" : ",")
            body.append(label.0)
            body.append("=\"")
            append(escaped: label.1)
            body.append("\"")
        }
        if isOpen { return }
        body.append(labels.isEmpty ? " " : "} ")
    }

    private mutating func append(escaped value: String) {
        let isPlain = !value.utf8.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\"") || $0 == 10 }
        if isPlain { return body.append(value) }
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): body.append("\\\\")
            case UInt8(ascii: "\""): body.append("\\\"")
            case UInt8(ascii: "\n"): body.append("\\n")
            default: body.append(byte)
            }
        }
    }

    /// Appends `parts` divided by `whole` as an exact decimal number. `whole` is a power of ten.
    private mutating func append(_ parts: Int, of whole: Int) {
        if parts < 0 { body.append("-") }
        let parts = parts.magnitude
        body.append(decimal: Int(parts / whole.magnitude))
        var rest = parts % whole.magnitude
        guard rest > 0 else { return }
        body.append(".")
        var unit = whole.magnitude / 10
        while rest > 0 {
            body.append(UInt8(ascii: "0") + UInt8(rest / unit))
            rest %= unit
            unit /= 10
        }
    }
}
