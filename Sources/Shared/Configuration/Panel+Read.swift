extension Panel {
    private static let prefix = "PANEL_"

    static func all(_ reader: inout SettingsReader) -> [Panel] {
        var names: [String: SettingKey] = [:]
        return reader.instances(of: prefix)
            .map { instance in
                let panel = Panel(instance, &reader)
                let setting = key(instance, reader.given[key(instance, "NAME")] == nil ? "SUMMARY_MODEL" : "NAME")
                if let other = names.updateValue(setting, forKey: panel.name) {
                    reader.report(setting, "\"\(panel.name)\" is also the name of the panel of \(other.name)")
                }
                return panel
            }
    }

    private init(_ instance: String, _ reader: inout SettingsReader) {
        func key(_ field: String) -> SettingKey { Self.key(instance, field) }
        name = reader.text(key("NAME")) ?? instance.asName
        mode = reader.word(key("MODE")) ?? .parallel
        let prompt = reader.text(key("SUMMARY_PROMPT")) ?? Self.standardPrompt
        let text = Cast(
            members: reader.list(key("MODELS")),
            summary: reader.text(key("SUMMARY_MODEL")) ?? "",
            prompt: prompt
        )
        let seeing = reader.list(key("VISION_MODELS"))
        self.text = mode == .direct ? Cast(members: [], summary: text.summary, prompt: prompt) : text
        vision = Cast(
            members: mode == .direct ? [] : seeing.isEmpty ? text.members : seeing,
            summary: reader.text(key("VISION_SUMMARY_MODEL")) ?? text.summary,
            prompt: reader.text(key("VISION_SUMMARY_PROMPT")) ?? prompt
        )
        label = reader.text(key("REFERENCE_LABEL")) ?? ""
        keepsHistory = reader.boolean(key("KEEP_HISTORY"))
        temperature = reader.value(key("TEMPERATURE")) ?? 0.7
        summaryTemperature = reader.value(key("SUMMARY_TEMPERATURE")) ?? 0.7
        attempts = reader.number(key("ATTEMPTS"))
        retryDelay = reader.duration(key("RETRY_DELAY"))
        timeout = reader.duration(key("TIMEOUT"))
        summaryTimeout = reader.duration(key("SUMMARY_TIMEOUT"))
        deadline = reader.duration(key("DEADLINE"))
        minResponses = reader.number(key("MIN_ANSWERS"))
        feedback = reader.word(key("STATUS_FEEDBACK")) ?? .content
        checkMembers(instance, &reader)
    }

    private func checkMembers(_ instance: String, _ reader: inout SettingsReader) {
        let models = Self.key(instance, "MODELS")
        if mode == .direct {
            for field in ["MODELS", "VISION_MODELS", "MIN_ANSWERS"] where reader.given[Self.key(instance, field)] != nil
            {
                reader.report(Self.key(instance, field), "the mode direct has no members; remove this line")
            }
            return
        }
        if text.members.isEmpty {
            if !reader.problems.contains(where: { $0.name == models.name }) {
                reader.report(
                    Self.key(instance, "SUMMARY_MODEL"),
                    "\(models.name) must be set, unless the mode is direct"
                )
            }
            return
        }
        let fewest = min(text.members.count, vision.members.count)
        if minResponses > fewest {
            let count = fewest == 1 ? "1 member" : "\(fewest) members"
            reader.report(
                Self.key(instance, "MIN_ANSWERS"),
                "\(minResponses) responses are more than \(count) can give"
            )
        }
    }

    static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }

    /// Returns the settings of a panel that contain model names, such as `PANEL_A_MODELS`, together with these names.
    static func models(of instance: String, _ reader: SettingsReader) -> [(key: SettingKey, names: [String])] {
        let lists = ["MODELS", "VISION_MODELS"].map { (key(instance, $0), reader.list(key(instance, $0))) }
        let single = ["SUMMARY_MODEL", "VISION_SUMMARY_MODEL"].map {
            (key(instance, $0), reader.text(key(instance, $0)).map { [$0] } ?? [])
        }
        return lists + single
    }

    static func instances(_ reader: SettingsReader) -> [String] { reader.instances(of: prefix) }

    private static let standardPrompt = """
        The assistant's messages that begin with a label such as "Reference answer 1" are answers of several models to \
        the user's next message. They may be wrong, incomplete or biased: check them against each other and against what \
        you know. Then answer the user's next message yourself, in its language: take over what is right, correct what is \
        wrong, and leave out what does not help. Do not mention the references.
        """
}

extension SettingFamily {
    static let panels = SettingFamily(
        prefix: "PANEL_",
        declaring: ["SUMMARY_MODEL"],
        title: "Panels: virtual models that call several models and summarise their responses",
        rows: [
            SettingRow("SUMMARY_MODEL", .model)
                .help("declares a panel: the model that summarises the members' responses"),
            SettingRow("MODELS", .words)
                .help("members of the panel: names of models or panels of this relay, or provider/name"),
            SettingRow("NAME", .model).help("model name of the panel; default: the NAME, in lower case, with - for _"),
            SettingRow("MODE", .choice(of: Panel.Mode.self), Panel.Mode.parallel.rawValue)
                .help("direct: no members, only the summary model is called"),
            SettingRow("VISION_MODELS", .words).help("members if the last user message has an image; default: MODELS"),
            SettingRow("VISION_SUMMARY_MODEL", .model)
                .help("summary model if the last user message has an image; default: SUMMARY_MODEL"),
            SettingRow("SUMMARY_PROMPT", .text, trait: .prompt)
                .help("prompt of the summary model; default: a built-in prompt"),
            SettingRow("VISION_SUMMARY_PROMPT", .text, trait: .prompt)
                .help("prompt of the summary model if the last user message has an image; default: SUMMARY_PROMPT"),
            SettingRow("REFERENCE_LABEL", .text, "Reference answer {n}: ")
                .help("label before each member's response in the summary prompt; {n}: its number"),
            SettingRow("KEEP_HISTORY", .boolean, "false")
                .help("true: the summary model gets the earlier messages of the chat"),
            SettingRow("TEMPERATURE", .temperature, "0.7").help("temperature of the members"),
            SettingRow("SUMMARY_TEMPERATURE", .temperature, "0.7")
                .help("temperature of the summary model, unless the request sets one"),
            SettingRow("ATTEMPTS", .number(1...10), "3").help("maximum number of calls of each member"),
            SettingRow("RETRY_DELAY", .duration(.zero ... .seconds(600)), "1")
                .help("time before a failed member is called again"),
            SettingRow("TIMEOUT", .timeout, "120").help("time limit of each call of a member"),
            SettingRow("SUMMARY_TIMEOUT", .timeout, "300").help("time limit of the whole summary"),
            SettingRow("DEADLINE", .duration(.zero ... .seconds(86_400)), "0")
                .help("time limit of all members together; 0: none"),
            SettingRow("MIN_ANSWERS", .number(0...Panel.maxCalls), "0")
                .help(
                    "minimum number of member responses, without which the request fails; 0: summarise even without responses"
                ),
            SettingRow("STATUS_FEEDBACK", .choice(of: Panel.Feedback.self), Panel.Feedback.content.rawValue)
                .help("how a stream reports that a member has finished"),
        ]
    )
}
