import Engine

/// A finder of secrets in texts. Its time depends on the length of the text, not on the number of secrets.
///
/// It is the automaton of Aho and Corasick, "Efficient string matching" (1975).
package final class SecretFinder: Sendable {
    /// A beginning of one or more secrets.
    private struct Node {
        let depth: Int
        /// The node of the longest end of this beginning that a secret also begins with.
        var fallback = 0
        /// The length of the longest secret with which this beginning ends; 0 if there is none.
        var foundBytes = 0
    }

    private static let minBytes = 8
    /// The smallest number of bytes of a secret that are found at the end of a text, where the rest may be cut off.
    static let minPartBytes = 5

    private let nodes: [Node]
    /// The node that follows a node after one more byte. The byte is in the lowest eight bits of the name.
    private let edges: [Int: Int]
    private let firstBytes: [Bool]

    /// Creates a finder of these secrets, however JSON or a URL would write them.
    ///
    /// Secrets shorter than 8 bytes are ignored.
    package convenience init(_ secrets: [String]) {
        let secrets = Set(secrets).filter { $0.utf8.count >= Self.minBytes }
        self.init(bytes: secrets.map { UnescapedText(Array($0.utf8)).bytes })
    }

    init(bytes secrets: [[UInt8]]) {
        var nodes = [Node(depth: 0)]
        var edges: [Int: Int] = [:]
        var parents: [(node: Int, byte: UInt8)] = [(0, 0)]
        for secret in secrets where !secret.isEmpty {
            var node = 0
            for byte in secret {
                let edge = Self.edge(node, byte)
                if let next = edges[edge] {
                    node = next
                } else {
                    parents.append((node, byte))
                    node = nodes.count
                    edges[edge] = node
                    nodes.append(Node(depth: nodes[parents[node].node].depth + 1))
                }
            }
            nodes[node].foundBytes = secret.count
        }
        // A fallback is shorter than its node. So it is complete before it is used.
        for node in nodes.indices.sorted(by: { nodes[$0].depth < nodes[$1].depth }) where nodes[node].depth > 1 {
            var fallback = nodes[parents[node].node].fallback
            while fallback != 0, edges[Self.edge(fallback, parents[node].byte)] == nil {
                fallback = nodes[fallback].fallback
            }
            nodes[node].fallback = edges[Self.edge(fallback, parents[node].byte)] ?? 0
            if nodes[node].foundBytes == 0 { nodes[node].foundBytes = nodes[nodes[node].fallback].foundBytes }
        }
        firstBytes = (0...255).map { edges[Self.edge(0, $0)] != nil }
        self.nodes = nodes
        self.edges = edges
    }

    /// Returns the ranges of the secrets in a text without escapes, in the order of their ends. They may overlap.
    /// - Parameter findsPart: whether the text may have been cut off. Then the last range can be that of a part: the
    ///   beginning of a secret with which the text ends.
    func ranges(in text: some Collection<UInt8>, findsPart: Bool = false) -> [Range<Int>] {
        var (found, node, offset, steps): ([Range<Int>], Int, Int, Int) = ([], 0, 0, 0)
        for byte in text {
            offset += 1
            steps += 1
            if node == 0, !firstBytes[Int(byte)] { continue }
            while node != 0, edges[Self.edge(node, byte)] == nil {
                node = nodes[node].fallback
                steps += 1
            }
            node = edges[Self.edge(node, byte)] ?? 0
            let length = nodes[node].foundBytes
            if length > 0 { found.append((offset - length)..<offset) }
        }
        StepCount.add(steps)
        let depth = nodes[node].depth
        if findsPart, depth >= Self.minPartBytes { found.append((offset - depth)..<offset) }
        return found
    }

    private static func edge(_ node: Int, _ byte: UInt8) -> Int { node << 8 | Int(byte) }
}
