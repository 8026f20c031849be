"""The one door: a module per journey. Every shell (CLI, web, integrations) calls these and nothing below."""
