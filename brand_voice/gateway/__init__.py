"""The brand's own endpoint: an OpenAI-compatible gateway before the student's server. Async is here, nowhere else."""
