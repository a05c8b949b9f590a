"""The student report: what the embedded student writes after distillation, beside everything it should beat."""
