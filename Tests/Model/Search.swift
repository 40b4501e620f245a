@testable import Limits

/// A breadth-first search through all reachable states. States cannot be copied, because the ledger's parts refer to
/// each other. Each successor is therefore reached by repeating its actions from the beginning. Only the last action of
/// a state uses the state itself. A state that was met before is recognised by its fingerprint.
package final class Search {
    private struct Node {
        let parent: Int32
        let action: Action?
        let depth: Int32
    }

    /// A state whose actions are still to be tried.
    private struct Live {
        let world: World
        /// The descriptions of the state's instances.
        let words: [Words]
    }

    private let setting: Setting
    private let fault: Fault?
    private let subjects: [World.Subject]
    private var nodes = [Node(parent: -1, action: nil, depth: 0)]
    private var live: [Int: Live] = [:]
    private var seen: Set<Fingerprint> = []
    private var report: Report

    /// The most states that are kept in memory. Others are reached again when their turn comes.
    private static let liveBound = 50_000

    package init(_ setting: Setting, fault: Fault? = nil) {
        self.setting = setting
        self.fault = fault
        subjects = World.subjects(setting, fault: fault)
        report = Report(name: setting.name)
    }

    /// Runs the search until the first breach, or until so many states were found.
    package func run(statesBound: Int = .max) -> Report {
        let root = World(setting, subjects, fault: fault)
        let words = root.instances.map { root.words(of: $0) }
        seen.insert(fingerprint(root, words))
        live[0] = Live(world: root, words: words)
        var next = 0
        while next < nodes.count, report.breach == nil {
            if nodes.count >= statesBound {
                report.isComplete = false
                break
            }
            expand(next)
            next += 1
        }
        report.states = nodes.count
        return report
    }

    private func path(to node: Int) -> [Action] {
        var path: [Action] = []
        var node = node
        while let action = nodes[node].action {
            path.append(action)
            node = Int(nodes[node].parent)
        }
        return path.reversed()
    }

    private func reach(_ path: [Action]) -> World {
        let world = World(setting, subjects, fault: fault)
        for action in path { world.apply(action) }
        return world
    }

    private func fingerprint(_ world: World, _ instances: [Words]) -> Fingerprint {
        Words.fingerprint([world.surroundings] + instances, current: world.store.versions)
    }

    private func expand(_ node: Int) {
        let path = path(to: node)
        let known = live.removeValue(forKey: node)
        let state = known?.world ?? reach(path)
        let before = known?.words ?? state.instances.map { state.words(of: $0) }
        let actions = state.actions
        for (index, action) in actions.enumerated() {
            let world = index == actions.count - 1 ? state : reach(path)
            world.apply(action)
            report.transitions += 1
            if let breach = world.breach {
                report.breach = Report.Breach(text: breach, path: (path + [action]).map { "\($0)" })
                report.depth = max(report.depth, path.count + 1)
                return
            }
            record(world, after: node, action, before)
        }
    }

    private func record(_ world: World, after node: Int, _ action: Action, _ before: [Words]) {
        var words = before
        for instance in world.instances where world.touched & 1 << instance.number != 0 {
            words[instance.number] = world.words(of: instance)
        }
        guard seen.insert(fingerprint(world, words)).inserted else { return }
        let depth = nodes[node].depth + 1
        if live.count < Self.liveBound { live[nodes.count] = Live(world: world, words: words) }
        nodes.append(Node(parent: Int32(node), action: action, depth: depth))
        report.depth = max(report.depth, Int(depth))
    }
}
