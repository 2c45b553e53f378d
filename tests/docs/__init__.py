"""The names that users build on: code, alerts, dashboard and docs agree about every one."""
