"""The command line: parse, open the workspace, call a stage, save, summarise. The one place that catches our errors."""
