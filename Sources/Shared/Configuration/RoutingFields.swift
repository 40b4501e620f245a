/// Names of fields by which a request chooses another model, server or account at a vendor than the relay chose.
package enum RoutingFields {
    package static let names = [
        "models", "route", "preset", "fallbacks", "context_window_fallbacks", "engine", "deployment", "deployment_id",
        "user_config", "api_base", "base_url", "custom_llm_provider",
    ]
}
